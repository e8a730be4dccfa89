"""The front door: its secrets, whether it answers on this machine, and what was pushed."""

from urllib.parse import urlunsplit

import requests

from registry.domain.push import PushSource
from registry.settings import Settings
from registry.store import pushes
from registry.store.session import Database, unit_of_work
from workers.commands.checks.check import Checks, held, ok, problem, warning
from workers.push_secrets import read_push_secrets
from workers.runtime import Runtime

ANSWER_SECONDS = 3.0
MOST_COUNTED = 100
MOST_WAITING = 20
_NO_HARM = "nothing is lost: the chain is polled"


def look(runtime: Runtime) -> Checks:
    """Look at the door, if this environment has one, and at what came through it."""
    if runtime.settings.push_secret_file is None:
        yield ok("front door", "REGISTRY_PUSH_SECRET_FILE is not named here: the door is not looked at")
    else:
        yield from held("push secrets", lambda: secrets(runtime.settings))
        yield from held("front door", lambda: door(runtime.settings))
    yield from held("pushes", lambda: waiting(runtime.database))


def secrets(settings: Settings) -> Checks:
    """Whether the door would open with this file."""
    held_by = read_push_secrets(settings.push_secret_file).digests
    missing = [source.value for source in PushSource if source not in held_by]
    if missing:
        yield ok("push secrets", f"no {' and no '.join(missing)} may push")
    else:
        yield ok("push secrets", "of node and chainhook")


def door(settings: Settings) -> Checks:
    """Whether it answers on this machine, and has its database."""
    address = f"127.0.0.1:{settings.api_port}"
    try:
        with requests.Session() as session:
            session.trust_env = False
            status = session.get(urlunsplit(("http", address, "/health", "", "")), timeout=ANSWER_SECONDS).status_code
    except requests.RequestException as error:
        todo = f"start `python -m api`, if it is to run on this machine; {_NO_HARM}"
        yield warning("front door", f"{address} does not answer: {type(error).__name__}", do=todo)
        return
    if status == requests.codes.ok:
        yield ok("front door", f"answers at {address}")
    else:
        yield problem("front door", f"{address} answers {status}", do="see to the database, and that it is our door")


def waiting(database: Database) -> Checks:
    """What was pushed last, and what waits for its block to be seen."""
    with unit_of_work(database) as session:
        newest = pushes.newest(session)
        count = pushes.count_waiting(session, limit=MOST_COUNTED)
    if newest is None:
        yield ok("pushes", f"none has come; {_NO_HARM}")
        return
    found = f"{count} wait, the last new one came at {newest.received_at:%Y-%m-%d %H:%M:%S}"
    if count > MOST_WAITING:
        yield warning(
            "pushes", found, do="see that the worker of `chain` runs, and whether the API lags behind its node"
        )
    else:
        yield ok("pushes", found)
