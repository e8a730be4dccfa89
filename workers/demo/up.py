"""The stack without a story: it runs until it is interrupted, for services to use."""

import contextlib
import json
import shlex
import sys
from pathlib import Path

from workers.demo.display import Display
from workers.demo.stack import Stack, start
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor
from workers.local import CHECKOUT, FLOWER_USER

STATE = CHECKOUT / ".registry"


def run(*, directory: Path | None, as_json: bool) -> None:
    """Start the stack, say where everything is, and wait.

    Raises:
        Interrupted: it was told to stop, and everything has.
        ProcessDied: a process of the stack has.
    """
    display = Display((), live=not as_json)
    with contextlib.ExitStack() as held:
        held.callback(display.close)
        ports = held.enter_context(HeldPorts())
        supervisor = held.enter_context(Supervisor(directory or STATE / "up", report=display.process))
        display.open()
        stack = start(supervisor, ports, owners=(), tell=display.phase)
        display.phase("ready")
        display.close()
        _say(stack, logs=supervisor.directory / "logs", as_json=as_json)
        supervisor.wait()


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
        "flower": stack.flower_url,
        "flower_user": FLOWER_USER,
        "flower_password": stack.flower_password,
    }


def _say(stack: Stack, *, logs: Path, as_json: bool) -> None:
    """Print where everything is and what a service needs to know, on stdout."""
    if as_json:
        said = {"addresses": addresses(stack), "environment": stack.environment(), "logs": str(logs)}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
        sys.stdout.flush()
        return
    told = {**addresses(stack), "logs": str(logs)}
    width = max(map(len, told))
    lines = [f"{name.replace('_', ' '):<{width}}  {value}" for name, value in told.items()]
    settings = [f"export {name}={shlex.quote(value)}" for name, value in stack.environment().items()]
    sys.stdout.write("\n".join([*lines, "", "A service needs:", "", *settings, "", "Ctrl-C stops everything.", ""]))
    sys.stdout.flush()
