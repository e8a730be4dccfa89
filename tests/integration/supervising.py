"""A program of the tests: supervises a few awkward families until it is interrupted; prints `up` when they are.

usage: supervising.py DIRECTORY MARK [servers]
"""

import os
import signal
import sys
from pathlib import Path

from workers.embedded.interrupts import Interrupted
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.readiness import LogSays
from workers.embedded.servers import Durability
from workers.embedded.supervisor import Supervisor
from workers.local import postgres_server, valkey_server

FAMILIES = {
    "plain": "sleep 600 & echo ready; wait",
    "stubborn": "trap '' TERM; echo ready; while :; do sleep 600 & wait; done",
    "scattered": "setsid sleep 600 & (setsid sleep 600 &) ; echo ready; wait",
}


def family(name: str, *, mark: str) -> Process:
    """Describe a shell with children that a signal to the shell alone does not reach."""
    return Process(
        name=name,
        argv=("/bin/sh", "-c", FAMILIES[name]),
        environment={"PATH": os.environ["PATH"], "TEST_MARK": mark},
        ready=LogSays(pattern="ready"),
        stop_order=1,
        stop_seconds=0.5,
    )


def start_servers(supervisor: Supervisor, ports: HeldPorts) -> None:
    """Start both servers."""
    postgres = postgres_server(supervisor.directory, ports, Durability.DISPOSABLE)
    valkey = valkey_server(supervisor.directory, ports, Durability.DISPOSABLE)
    valkey.prepare()
    with postgres.creation() as initdb:
        supervisor.start(initdb, valkey.process())
    supervisor.start(postgres.process())


def main(directory: str, mark: str, *what: str) -> None:
    """Supervise until interrupted."""
    try:
        with HeldPorts() as ports, Supervisor(Path(directory)) as supervisor:
            if "servers" in what:
                start_servers(supervisor, ports)
            supervisor.start(*(family(name, mark=mark) for name in FAMILIES))
            print("up", flush=True)  # noqa: T201 -- how the test knows
            supervisor.wait()
    except Interrupted as interrupted:
        sys.exit(interrupted.status)


if __name__ == "__main__":
    # whoever runs the tests may have had this signal ignored, as nohup does; the tests send it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    main(*sys.argv[1:])
