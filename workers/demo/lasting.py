"""A stack that lasts: made at the first start, found again with all that it held at every later one."""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from registry.domain.errors import RegistryError
from registry.stacks.http_node import HttpNode
from registry.store.session import Database
from workers import local
from workers.demo.belonging import known_height, require_both, require_together
from workers.demo.kept import ACCESS, DEVNET_JOURNAL, ENVIRONMENT, KEYS, MADE, Kept, reset_command
from workers.demo.stack import FRONT_SECRET, PUSH_SECRETS, WEBHOOK_SECRET, Pace, Stack, begin, plan, serve
from workers.embedded import account
from workers.embedded.ports import HeldPorts
from workers.embedded.runfile import RunFile
from workers.embedded.supervisor import StartFailed, Supervisor, locked

CANNOT_REPLAY = 3
"""The devnet's exit status when its journal does not lead to the chain that it was written from."""

FOLLOW_SECONDS = 60.0
"""The longest that the database may stand still while it is behind the chain."""
TOLD_SECONDS = 5.0
POLL_SECONDS = 0.1

Tell = Callable[[str], None]


class ChainLost(RegistryError):
    """The devnet cannot go on with its journal."""

    code = "chain_lost"
    sentence = "the chain cannot be brought back: {reason}"
    remedy = "put back the journal {journal}, or begin anew: `{reset}` removes chain and database"


class FollowerStuck(RegistryError):
    """The database stays behind the chain."""

    code = "follower_stuck"
    sentence = "the database knows the chain up to block {known} of {tip} and comes no further"
    remedy = "everything is stopped again; look at {log}"


class StillRunning(RegistryError):
    """What a killed run has left works on the data that is to be removed."""

    code = "still_running"
    sentence = "in {directory} a stack that was killed has left processes that still run: {processes}"
    remedy = "`registry up` ends them; stop it with Ctrl-C, then reset"


def start_lasting(supervisor: Supervisor, ports: HeldPorts, *, pace: Pace, tell: Tell) -> Stack:
    """Start the stack of the supervisor's directory, telling each phase; make it where none was made to the end.

    Raises:
        NotTogether: chain and database are of two stacks, or one is gone.
        ChainLost: the devnet does not bring the chain back.
        KeptUnusable: keys or passwords are gone.
        FollowerStuck: the database does not follow the chain.
    """
    kept = Kept(directory=supervisor.directory)
    start = _again if kept.is_made else _first
    return start(supervisor, kept, ports, pace=pace, tell=tell)


def _first(supervisor: Supervisor, kept: Kept, ports: HeldPorts, *, pace: Pace, tell: Tell) -> Stack:
    access = local.Access.new(ports.hold_lasting)
    kept.write_access(access)
    stack = plan(kept.directory, access, cast=kept.new_cast(), pace=pace, journal=kept.journal)
    begin(supervisor, stack, owners=(), tell=tell)
    _await_follower(supervisor, stack, tell=tell)
    kept.mark_made()
    return stack


def _again(supervisor: Supervisor, kept: Kept, ports: HeldPorts, *, pace: Pace, tell: Tell) -> Stack:
    access = _keep_ports(kept, ports, tell=tell)
    stack = plan(kept.directory, access, cast=kept.cast(), pace=pace, journal=kept.journal)
    postgres = stack.foundations.postgres
    require_both(journal=kept.journal, cluster=postgres.data, has_cluster=postgres.is_there, directory=kept.directory)
    tell("servers and devnet start with what they hold")
    try:
        local.start_again(supervisor, stack.foundations)
    except StartFailed as failed:
        raise _chain_lost(failed, kept) or failed from None
    tell("chain and database are compared")
    with closing(Database(postgres.url())) as database, closing(HttpNode(stack.devnet_url)) as node:
        require_together(database, node, registry=stack.cast.contract("policy-registry"), directory=kept.directory)
    serve(supervisor, stack, tell=tell)
    _await_follower(supervisor, stack, tell=tell)
    return stack


def _await_follower(supervisor: Supervisor, stack: Stack, *, tell: Tell) -> None:
    """Wait until the database knows the chain as it is now: before that nobody is sold anything."""
    tell("the database follows the chain")
    with closing(HttpNode(stack.devnet_url)) as node:
        tip = node.tip().height
    with closing(Database(stack.foundations.postgres.url())) as database:
        known, moved = known_height(database), time.monotonic()
        told = moved
        while known < tip:
            if time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                tell(f"the database knows {known} of {tip} blocks")
            if time.monotonic() - moved > FOLLOW_SECONDS:
                raise FollowerStuck(known=known, tip=tip, log=str(supervisor.directory / "logs" / "worker-chain.log"))
            supervisor.wait(POLL_SECONDS)
            last, known = known, known_height(database)
            moved = moved if known == last else time.monotonic()


def _keep_ports(kept: Kept, ports: HeldPorts, *, tell: Tell) -> local.Access:
    """Hold the ports of before; one that somebody else has taken is told of, and another takes its place for good."""
    before = kept.access()
    access = replace(
        before,
        postgres_port=ports.hold_lasting(before.postgres_port),
        valkey_port=ports.hold_lasting(before.valkey_port),
        devnet_port=ports.hold_lasting(before.devnet_port),
        flower_port=ports.hold_lasting(before.flower_port),
        api_port=ports.hold_lasting(before.api_port or None),
    )
    for server, (old, new) in _moved(before, access).items():
        tell(f"port {old} is taken: {server} listens on {new} from now on")
    if access != before:
        kept.write_access(access)
    return access


def _moved(before: local.Access, access: local.Access) -> dict[str, tuple[int, int]]:
    ports = {
        "postgres": (before.postgres_port, access.postgres_port),
        "valkey": (before.valkey_port, access.valkey_port),
        "devnet": (before.devnet_port, access.devnet_port),
        "flower": (before.flower_port, access.flower_port),
        "front door": (before.api_port or access.api_port, access.api_port),
    }
    return {server: (old, new) for server, (old, new) in ports.items() if old != new}


def _chain_lost(failed: StartFailed, kept: Kept) -> ChainLost | None:
    if (failed.figures["process"], failed.figures.get("status")) != ("devnet", CANNOT_REPLAY):
        return None
    reason = str(failed.figures["lines"]).strip().splitlines()[-1]
    return ChainLost(reason=reason, journal=str(kept.journal), reset=reset_command(kept.directory))


def remove(directory: Path) -> tuple[Path, ...]:
    """Remove chain, database, messages, keys and passwords of a stack that does not run; answer what was there.

    Logs stay. A directory that never held a stack is left as it is.

    Raises:
        AlreadyRunning: the stack runs.
        StillRunning: what it was left of when it was killed does.
    """
    if not (directory / "lock").is_file():
        return ()
    with locked(directory):
        left = RunFile.read(directory / "run.json")
        if left is not None and (survivors := left.survivors()):
            names = {member.identity: f"{member.name} ({member.pid})" for member in left.members}
            told = sorted(names.get(one, str(one.pid)) for one in survivors)
            raise StillRunning(directory=str(directory), processes=", ".join(told))
        Kept(directory=directory).forget_made()
        return tuple(one for one in _data(directory) if _is_removed(one))


def _data(directory: Path) -> tuple[Path, ...]:
    """Whatever a stack that lasts may have here, the servers' place of root's included."""
    link = directory / "servers"
    elsewhere = link.resolve() if link.is_symlink() else None
    places = [directory] if elsewhere is None or elsewhere.parent != account.ROOTS_PLACE else [directory, elsewhere]
    return (
        *(place / name for place in places for name in ("postgres", "valkey")),
        *(
            directory / name
            for name in (DEVNET_JOURNAL, ACCESS, KEYS, PUSH_SECRETS, FRONT_SECRET, WEBHOOK_SECRET, MADE, ENVIRONMENT)
        ),
    )


def _is_removed(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
