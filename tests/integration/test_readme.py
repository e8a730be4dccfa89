"""The README's commands, each run as it stands there, and its example for a service."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.integration.chain import ROOT
from tests.integration.lasting import Made, Up, up
from tests.integration.stack import until
from workers.local import inherited

PAGE = (ROOT / "README.md").read_text()
COMMAND_SECONDS = 60.0

SHELL = ("/bin/bash", "-c")
READY = {"worker": r"\bready\.", "beat": r"beat: Starting", "flower": r"Visit me at", "api": r"running on"}
"""What a process says once it does its work."""


def fenced(language: str) -> list[str]:
    """The page's blocks in a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [block for named, block in blocks if named == language]


def commands() -> list[str]:
    """Every line that is to be typed: fences without a language hold these, or what is printed."""
    lines = [line.partition("  #")[0].strip() for block in fenced("") for line in block.splitlines()]
    return [line for line in lines if re.match(r"(make|registry|celery|python|\.) ", line)]


def test_the_page_has_commands() -> None:
    assert {"make demo", "make test", "make up", "registry migrate", "registry doctor"} <= set(commands())


class Running:
    """A stack that `make up` could have started, and its settings."""

    def __init__(self, stack: Up, directory: Path) -> None:
        self.stack = stack
        self.directory = directory

    def argv(self, command: str) -> tuple[str, ...]:
        """A shell that reads the settings as the page says, then is told the command."""
        return (*SHELL, f". {self.directory}/environment && exec {command}")

    def environment(self, command: str) -> dict[str, str]:
        """What the page says beside the command; a process that does not sign refuses to start with the keys."""
        named = {
            "-Q chain": (),
            "-Q default": (),
            "-Q webhooks": ("WEBHOOK",),
            "-m api": ("FRONT", "WEBHOOK"),
        }
        own = next((secrets for end, secrets in named.items() if command.endswith(end)), None)
        return {
            **(self._keys() if own is None else self._secrets(*own)),
            **inherited(),
            "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
            "FLOWER_BASIC_AUTH": "user:password",
            "REMAP_SIGTERM": "SIGQUIT",
        }

    def _secrets(self, *names: str) -> dict[str, str]:
        return {f"REGISTRY_{name}_SECRET_FILE": f"{self.directory}/{name.lower()}-secret" for name in names}

    def _keys(self) -> dict[str, str]:
        place = self.directory / "keys"
        return {
            "REGISTRY_BACKEND_KEY_FILE": str(place / "backend"),
            "REGISTRY_QUOTE_KEY_FILE": str(place / "quote-signer"),
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the page's own command
            self.argv(command),
            cwd=ROOT,
            env=self.environment(command),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def running(made: Made) -> Iterator[Running]:
    directory = made.copy(made.directory.with_name("readme"))
    with up(directory) as stack:
        yield Running(stack, directory)


def of(program: str) -> list[str]:
    return [command for command in commands() if command.startswith(program)]


@pytest.mark.parametrize("command", of("make"))
def test_a_target_of_the_page_runs_what_is_tested_under_its_name(command: str) -> None:
    """Those of demo, up and chaos are run by test_demo.py, test_up.py and test_chaos.py, in their own directories."""
    said = subprocess.run(  # noqa: S603 - the page's own command
        (*SHELL, f"{command} --dry-run --assume-old=setup"),
        cwd=ROOT,
        env=inherited(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    last = said.stdout.strip().splitlines()[-1].strip()
    name = command.removeprefix("make ")
    assert last in {
        f"exec .venv/bin/registry {name}",
        f"exec .venv/bin/python -m tests.{name}",
        ".venv/bin/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder",
    }


@pytest.mark.parametrize("command", [each for each in of("registry") if " reset " not in each])
def test_a_command_of_the_page_does_what_it_says(running: Running, command: str) -> None:
    done = running.run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [*of("celery"), *of("python")])
def test_a_process_of_the_page_starts_and_stops(running: Running, command: str, tmp_path: Path) -> None:
    kind = command.split()[3] if command.startswith("celery") else "api"
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(  # noqa: S603 - the page's own command
            running.argv(re.sub(r"--address=\S+$|-m api$", r"\g<0> --port=0", command)),
            cwd=ROOT,
            env=running.environment(command),
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            until(lambda: re.search(READY[kind], log.read_text()) is not None, seconds=COMMAND_SECONDS)
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=COMMAND_SECONDS)
        finally:
            process.kill()
    assert status in {0, -signal.SIGTERM}, log.read_text()


def test_the_example_for_a_service_gets_a_payload(running: Running) -> None:
    (code,) = [block for block in fenced("python") if "workers.client" in block]
    at = running.stack.environment
    names: dict[str, Any] = {"BROKER_URL": at["REGISTRY_BROKER_URL"], "RESULT_URL": at["REGISTRY_RESULT_URL"]}
    exec(code, names)  # noqa: S102 - the page's own example
    assert names["payload"]["functionName"] == "buy-policy-stx"


def test_the_example_over_http_goes_through_all_policies(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for block in fenced("python") if "registry_client" in block]
    (command,) = of("registry api-keys create")
    made = json.loads(running.run(f"{command} --json").stdout)
    exec(code, {"API_URL": running.stack.said["addresses"]["page"], "API_KEY": made["key"]})  # noqa: S102 - as above
    (line,) = capsys.readouterr().out.splitlines()
    assert UUID(line.split()[0])


def test_what_is_kept_is_removed_by_the_command_of_the_page(made: Made) -> None:
    directory = made.copy(made.directory.with_name("readme-reset"))
    (command,) = of("registry reset")
    done = subprocess.run(  # noqa: S603 - the page's own command
        (*SHELL, f"{ROOT}/.venv/bin/{command} --directory {directory}"),
        cwd=ROOT,
        env=inherited(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (directory / "devnet.journal").exists()
    assert not (directory / "environment").exists()
