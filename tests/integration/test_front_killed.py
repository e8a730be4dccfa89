"""The front door is killed amid an action: whoever repeats his key is answered, and nothing is done twice."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.integration.acting import Acting, fetched, policies_of
from tests.integration.chain import ROOT
from tests.integration.pushing import new_secrets
from tests.integration.signing_in import new_front_secret, sign_in
from tests.integration.stack import Holder, Stack, until
from workers import local
from workers.embedded.ports import HeldPorts

SECONDS = 30.0
POINTS = (
    "submissions.submit::commit.before",
    "submissions.submit::commit.after",
    "submissions.send::publish.before",
    "submissions.send::publish.after",
    "submissions.keep::commit.before",
    "submissions.keep::commit.after",
)


@dataclass
class Fragile:
    """A front door on one port, in one life after another."""

    port: int
    environment: Mapping[str, str]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def life(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Live until told to end, or by a fault."""
        argv = (sys.executable, "-m", "api", f"--port={self.port}")
        environment = {**local.inherited(), **self.environment, **more}
        with (
            self.log.open("a") as log,
            subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log, text=True) as process,  # noqa: S603 - our own program
        ):
            try:
                until(self._serves, seconds=SECONDS)
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=SECONDS)

    def _serves(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).ok
        except requests.RequestException:
            return False


@pytest.fixture
def fragile(stack: Stack, ports: HeldPorts, tmp_path: Path) -> Fragile:
    pushed, _ = new_secrets(tmp_path / "push-secrets")
    files = {
        "REGISTRY_FRONT_SECRET_FILE": str(new_front_secret(tmp_path / "front-secret")),
        "REGISTRY_PUSH_SECRET_FILE": str(pushed),
    }
    return Fragile(port=ports.hold(), environment={**stack.environment, **files}, log=tmp_path / "log")


def insist(acting: Acting, key: str) -> requests.Response:
    """Repeat a key until there is an answer that is final."""
    end = time.monotonic() + SECONDS
    while (answer := acting.create(key=key, prefer="wait=2")).status_code != 201:
        assert answer.status_code == 202, answer.text
        assert time.monotonic() < end
    return answer


@pytest.mark.parametrize("point", POINTS)
def test_whoever_repeats_his_key_after_a_kill_is_answered_once_and_for_all(
    fragile: Fragile, holder: Holder, tmp_path: Path, point: str
) -> None:
    key, before = str(uuid4()), fetched(holder.stack.database)
    struck = {"REGISTRY_FAULT_POINT": f"{point}#1", "REGISTRY_FAULT_DIRECTORY": str(tmp_path)}
    with fragile.life(**struck) as process:
        acting = Acting(url=fragile.url, own=holder, token=sign_in(fragile.url, holder.wallet).token)
        with pytest.raises(requests.ConnectionError):
            acting.create(key=key)
        assert process.wait(timeout=SECONDS) == -signal.SIGKILL
    with fragile.life():
        answer = insist(acting, key)
        again = acting.create(key=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
    assert policies_of(holder.stack.database, holder.address) == 1
    assert fetched(holder.stack.database) - before == 2, "one canvas was enough"
