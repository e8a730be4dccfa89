"""Beat's scheduler, which leaves a sign of each message that the broker took, for the health check to date."""

import tempfile
from pathlib import Path
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

NAME = "registry-beat.sent"


def sign() -> Path:
    """Where beat leaves it: in the temporary directory, which each container has to itself."""
    return Path(tempfile.gettempdir()) / NAME


class Heartbeat(Scheduler):  # type: ignore[misc] # Celery ships no types
    """Celery's own scheduler; `celery beat --scheduler=workers.heartbeat:Heartbeat`."""

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,  # noqa: ANN401 - Celery ships no types
        advance: bool = True,  # noqa: FBT001, FBT002 - Celery's own signature
        **options: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Send as Celery does, then leave the sign: what could not be sent raises before it."""
        sent = super().apply_async(entry, producer=producer, advance=advance, **options)
        sign().touch()
        return sent
