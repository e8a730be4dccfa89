"""Streams of a front door that is a process of its own: killed or told to stop, it costs its listeners time only."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.streams import Ending
from registry.domain.access import Scope
from registry.services import api_keys
from registry.store.session import Database
from tests.integration import rows
from tests.integration.chain import ROOT
from tests.integration.doors import CONTRACTS
from tests.integration.pushing import new_secrets
from tests.integration.stack import until
from tests.integration.streaming import listen, sold, walk
from workers.embedded.ports import HeldPorts
from workers.embedded.readiness import HttpAnswers
from workers.local import inherited

KILLS, WRITERS, WRITTEN = 2, 4, 45
START_SECONDS, STOP_SECONDS = 30.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A front door's settings, and a key that it knows."""

    port: int
    key: str = field(repr=False)
    environment: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block ends, however it ends."""
        answers = HttpAnswers(url=f"{self.url}/health")
        with (
            log.open("ab") as said,
            subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=self.environment, stderr=said) as own,
        ):
            try:
                until(lambda: answers(log), seconds=START_SECONDS)
                yield own
            finally:
                own.kill()


@pytest.fixture
def front(database: Database, valkey: str, ports: HeldPorts, tmp_path: Path) -> Front:
    """A front door that is yet to start."""
    made = api_keys.create(database, "partner", scopes={Scope.EVENTS}, expires_at=None, now=datetime.now(UTC))
    path, _ = new_secrets(tmp_path / "push-secrets")
    port = ports.hold()
    told = {
        "database_url": database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "broker_url": f"{valkey.removesuffix('/0')}/5",
        "stacks_url": "http://127.0.0.1:9",
        "push_secret_file": str(path),
        "api_port": str(port),
        "api_requests_per_minute": "100000",
        **CONTRACTS,
    }
    environment = {**inherited(), **{f"REGISTRY_{name.upper()}": value for name, value in told.items()}}
    return Front(port=port, key=made["key"], environment=environment)


def test_each_event_is_heard_once_over_a_door_that_is_killed(front: Front, database: Database, tmp_path: Path) -> None:
    heard, total = list[int](), WRITERS * WRITTEN
    policies = [sold(database) for _ in range(WRITERS)]

    def write(number: int) -> None:
        for _ in range(WRITTEN):
            walk(database, policies[number])

    with ThreadPoolExecutor(WRITERS) as pool:
        for kill in range(KILLS + 1):
            # a share of the events comes while it runs, the others while it does not
            writers = [pool.submit(write, number) for number in range(WRITERS)] if kill == 0 else []
            with front.running(tmp_path / "log") as process, listen(front.url, by=front.key, last_id=len(heard)) as ear:
                heard += ear.take(total // (KILLS + 1))
                process.send_signal(signal.SIGKILL)
            for each in writers:
                each.result()
            walk(database, policies[0])
    assert heard == list(range(1, total + 1))


def test_it_stops_soon_with_streams_open_and_says_when_to_come_again(
    front: Front, database: Database, tmp_path: Path
) -> None:
    with (
        front.running(tmp_path / "log") as process,
        listen(front.url, by=front.key) as ear,
        listen(front.url, by=front.key) as other,
    ):
        ear.next("ready")
        walk(database, sold(database, rows.OWNER))
        ear.next()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_SECONDS)
        assert [each.comment for each in ear.rest()] == [Ending.CLOSING.value]
        assert other.rest()[-1].retry == 1_000
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert front.key not in said
