"""The stack without a story: it runs until it is interrupted, for services to use, and lasts from start to start."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from workers.demo.display import Display
from workers.demo.kept import UP, Kept
from workers.demo.lasting import remove, start_lasting
from workers.demo.stack import Pace, Stack
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor
from workers.local import FLOWER_USER

BLOCK_SECONDS = 5
SCHEDULE_SECONDS = MappingProxyType(
    {"expiration_sweep": 5, "quote_expiry": 5, "follow": 2, "poll": 2, "heal": 5, "advance": 2}
)

READERS = {"postgres", "valkey", "devnet"}


def run(*, directory: Path | None, as_json: bool, block_seconds: int = BLOCK_SECONDS) -> None:
    """Start the stack with what it held when it was stopped, say where everything is, and wait.

    The first start in a directory makes it.

    Raises:
        Interrupted: it was told to stop, and everything has.
        ProcessDied: a process of the stack has.
        AlreadyRunning: it runs in this directory already.
        NotTogether, ChainLost, KeptUnusable: what is kept is of no use; the remedy is `registry reset`.
    """
    place = directory or UP
    display = Display((), live=not as_json)
    with contextlib.ExitStack() as held:
        held.callback(display.close)
        ports = held.enter_context(HeldPorts())
        waiting = _waiting(display, place / "logs")
        supervisor = held.enter_context(Supervisor(place, report=display.process, patience=waiting))
        display.open()
        pace = Pace(block_seconds=block_seconds, schedule_seconds=SCHEDULE_SECONDS)
        stack = start_lasting(supervisor, ports, pace=pace, tell=display.phase)
        settings = Kept(directory=supervisor.directory).write_environment(_settings(stack))
        display.phase("ready")
        display.close()
        _say(stack, settings, logs=supervisor.directory / "logs", as_json=as_json)
        supervisor.wait()


def reset(directory: Path | None = None) -> tuple[Path, ...]:
    """Remove chain and database, with all that belongs to them, so that the next `run` makes new ones.

    Answers what was removed: nothing where nothing is kept.

    Raises:
        AlreadyRunning: the stack runs.
        StillRunning: what it was left of when it was killed does.
    """
    return remove(directory or UP)


def _waiting(display: Display, logs: Path) -> Callable[[str, float], None]:
    """Say that reading what was kept takes long, with the last line of whoever reads: a replay says how far it is."""

    def say(name: str, seconds: float) -> None:
        if name in READERS:
            lines = (logs / f"{name}.log").read_text(errors="replace").splitlines()
            told = (
                f"{display.seconds:6.1f} s  {name} has been starting for {seconds:.0f} s: {lines[-1] if lines else ''}"
            )
            display.console.print(told.removesuffix(": "), markup=False, soft_wrap=True)

    return say


def addresses(stack: Stack) -> dict[str, str]:
    """Name every address of the stack, with the passwords that it takes."""
    servers = stack.foundations
    return {
        "database": servers.postgres.url(),
        "broker": servers.valkey.url(0),
        "results": servers.valkey.url(1),
        "node_and_api": stack.devnet_url,
        "devnet_admin": f"{stack.devnet_url}/devnet/status",
        "venues": stack.venue_url,
        "page": stack.api_url,
        "api": f"{stack.api_url}/v1",
        "events": f"{stack.api_url}/events",
        "flower": stack.flower_url,
        "flower_user": FLOWER_USER,
        "flower_password": stack.flower_password,
    }


def _settings(stack: Stack) -> dict[str, str]:
    """What a service needs to know; the secrets of whoever pushes are a file that is named."""
    return {**stack.environment(), **stack.address_environment()}


def _say(stack: Stack, settings: Path, *, logs: Path, as_json: bool) -> None:
    """Print where everything is and what a service needs to know, on stdout; `settings` is that as a file."""
    if as_json:
        said = {"addresses": addresses(stack), "environment": _settings(stack), "logs": str(logs)}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
        sys.stdout.flush()
        return
    told = {**addresses(stack), "logs": str(logs)}
    width = max(map(len, told))
    lines = [f"{name.replace('_', ' '):<{width}}  {value}" for name, value in told.items()]
    sys.stdout.write(
        "\n".join(
            [
                *lines,
                "",
                "A service needs the settings in this file, which a shell reads:",
                "",
                f". {shlex.quote(str(settings))}",
                "",
                "Ctrl-C stops everything; the next start goes on from there.",
                "",
            ]
        )
    )
    sys.stdout.flush()
