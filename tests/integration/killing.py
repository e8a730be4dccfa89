"""A worker's application with a task that ends whatever worker runs it: `celery --app=tests.integration.killing`."""

import os
import signal
from pathlib import Path

from workers.app import app

TASK = "tests.kill"


def kill(*, policy_id: str, journal: str) -> None:
    """Note in a file that this ran, then end as by a power cut."""
    with Path(journal).open("a", encoding="ascii") as noted:
        noted.write(f"{policy_id}\n")
    os.kill(os.getpid(), signal.SIGKILL)


app.task(name=TASK)(kill)
