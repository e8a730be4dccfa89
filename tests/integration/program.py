"""A `registry` command that starts the stack, run as a program, and whom it leaves behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.integration.chain import ROOT
from workers.embedded import procfs
from workers.embedded.runfile import RUN_VARIABLE, RunFile

STOP_SECONDS = 10.0
# What stands in the environment is another stack's, and must not be touched.
ELSEWHERE = {
    "REGISTRY_DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/elsewhere",
    "REGISTRY_BROKER_URL": "redis://127.0.0.1:1/0",
    "REGISTRY_STACKS_URL": "http://127.0.0.1:1",
    "REGISTRY_CONFIRMED_DEPTH": "1",
    "REGISTRY_FINAL_DEPTH": "1",
}


class Program:
    """One run of a command that starts the stack, in a directory of its own."""

    def __init__(self, command: str, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "workers.cli", command, "--json", "--directory", str(directory)],
            cwd=ROOT,
            env={**os.environ, **ELSEWHERE},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.runs: set[str] = set()

    def members(self) -> set[str]:
        """The names of the processes that it has running, by its own run file."""
        found = RunFile.read(self.directory / "run.json")
        if found is not None:
            self.runs.add(found.run)
        return {member.name for member in found.members} if found else set()

    def left_behind(self) -> set[procfs.Identity]:
        """Every process that carries the name of this run."""
        processes = procfs.table()
        return {one for run in self.runs for one in procfs.carriers(f"{RUN_VARIABLE}={run}", processes)}

    def end(self, *, seconds: float) -> tuple[int, str, str]:
        """Wait for its end: status, stdout, stderr."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err


@contextlib.contextmanager
def running(command: str) -> Iterator[Program]:
    """Run a command in a directory that the servers' account can enter."""
    with tempfile.TemporaryDirectory(prefix="policy-registry-program-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        own = Program(command, directory)
        try:
            yield own
        finally:
            if own.process.poll() is None:
                own.process.send_signal(signal.SIGTERM)
                own.end(seconds=STOP_SECONDS)
