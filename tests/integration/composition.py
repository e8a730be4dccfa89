"""compose.yaml as compose reads it, and its services as native processes on other hosts, ports and paths."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.integration.chain import ROOT
from workers.embedded.node import find_node
from workers.embedded.process import Process
from workers.local import STOP_WORKERS, inherited

FILE = ROOT / "compose.yaml"
ENVIRONMENT_EXAMPLE = ROOT / "docker" / ".env.example"
HEALTH_SECONDS = 15.0
START_SECONDS = 60.0

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<word>[^}]*))?\}")


def written() -> dict[str, Any]:
    """Read the file as it stands, anchors merged and variables not yet replaced."""
    found: dict[str, Any] = YAML(typ="safe").load(FILE)
    return found


def variables(text: str) -> dict[str, str | None]:
    """Every variable of a text, with what is said after its name."""
    return {found["name"]: found["operator"] for found in _VARIABLE.finditer(text) if found["name"]}


def resolved(part: Any, environment: Mapping[str, str]) -> Any:
    """Replace the variables in a part of the file; one that must be set and is not raises KeyError."""
    if isinstance(part, dict):
        return {name: resolved(value, environment) for name, value in part.items()}
    if isinstance(part, list):
        return [resolved(value, environment) for value in part]
    return _VARIABLE.sub(lambda found: _value(found, environment), part) if isinstance(part, str) else part


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name = found["name"]
    if name is None:
        return "$"
    if found["operator"] == ":-":
        return environment.get(name) or found["word"]
    return environment[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCommand:
    """A service's own health check, run beside it."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    def __call__(self, _log: Path, /) -> bool:
        return self.run().returncode == 0

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            self.argv,
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=HEALTH_SECONDS,
            check=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeServices:
    """The file's services as processes of this machine: `places` says what stands here for what stands there."""

    environment: Mapping[str, str] = field(repr=False)
    places: Mapping[str, str] = field(repr=False)
    directory: Path

    def process(self, name: str) -> Process:
        """Describe a service: its command and environment, ready when its health check says so, or else a job."""
        service = resolved(written()["services"][name], self.environment)
        environment = self._environment_of(name, service)
        check = service.get("healthcheck")
        return Process(
            name=name,
            argv=self._argv(service["command"]),
            environment=environment,
            ready=HealthCommand(argv=self._argv(check["test"][1:]), environment=environment) if check else None,
            ready_seconds=START_SECONDS,
            stop_order=STOP_WORKERS,
            stop_seconds=5.0,
            cwd=ROOT,
        )

    def _environment_of(self, name: str, service: Mapping[str, Any]) -> dict[str, str]:
        # each container has a temporary directory to itself
        own = self.directory / name
        own.mkdir(exist_ok=True)
        given = {
            variable: self._here(str(value)) if value is not None else self.environment[variable]
            for variable, value in service["environment"].items()
            if value is not None or variable in self.environment
        }
        return {**inherited(), "TMPDIR": str(own), **given}

    def _argv(self, command: Sequence[str]) -> tuple[str, ...]:
        node = find_node()
        assert node is not None, "run make setup"
        programs = {
            "celery": (sys.executable, "-m", "celery"),
            "registry": (sys.executable, "-m", "workers.cli"),
            "python": (sys.executable,),
            "node": tuple(node.node),
        }
        program, *arguments = command
        return (*programs[program], *(self._here(argument) for argument in arguments))

    def _here(self, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text
