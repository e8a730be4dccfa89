"""A stack that lasts, run as a program: told addresses, an owner who buys on it, and ways to end it."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.domain.units import Principal, StacksHeight
from registry.stacks.http_node import HttpNode
from registry.stacks.signing import PrivateKey
from registry.stacks.wire import TESTNET
from registry.store.session import Database
from tests.integration.chain import Chain
from tests.integration.program import STOP_SECONDS, Program
from tests.integration.stack import Holder, Stack
from workers.client import RegistryClient
from workers.embedded import procfs

ANSWER_SECONDS = 60.0


class Up:
    """One run of `registry up` that is ready: what it said, and the process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.said = _said(program)

    @property
    def environment(self) -> dict[str, str]:
        environment: dict[str, str] = self.said["environment"]
        return environment

    def interrupt(self) -> tuple[int, str]:
        """End it as Ctrl-C does; status and stderr."""
        assert self.program.members()
        self.program.process.send_signal(signal.SIGINT)
        status, _, err = self.program.end(seconds=STOP_SECONDS)
        return status, err

    def kill(self) -> None:
        """End the program alone, in the middle of whatever it does."""
        assert self.program.members()
        self.program.process.kill()
        self.program.process.communicate()


def kill_all(program: Program) -> None:
    """End a program and everything that it has started, as the machine's own end does."""
    program.members()
    program.process.kill()
    while left := program.left_behind():
        for one in left:
            procfs.send(one, signal.SIGKILL)
    program.process.communicate()


@contextlib.contextmanager
def starting(directory: Path) -> Iterator[Program]:
    """Run `registry up` in a directory, whatever comes of it."""
    program = Program("up", directory)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.send_signal(signal.SIGTERM)
            program.end(seconds=STOP_SECONDS)


@contextlib.contextmanager
def up(directory: Path) -> Iterator[Up]:
    """Run `registry up` in a directory until it is ready."""
    with starting(directory) as program:
        yield Up(program)


def refused(directory: Path) -> str:
    """Run `registry up` where it cannot start; what it says about that."""
    with starting(directory) as program:
        status, out, err = program.end(seconds=ANSWER_SECONDS)
    assert (status, out) == (1, ""), err
    assert "Traceback" not in err
    assert program.left_behind() == set()
    return err[err.index("error: ") :]


def _said(program: Program) -> Any:
    assert program.process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = program.process.stdout.readline()
        assert line, program.end(seconds=STOP_SECONDS)
        text += line
    return json.loads(text)


@contextlib.contextmanager
def services(said: Up, directory: Path) -> Iterator[Stack]:
    """What a service and an owner's wallet do on it."""
    at = said.environment
    with (
        RegistryClient(at["REGISTRY_BROKER_URL"], at["REGISTRY_RESULT_URL"], answer_seconds=ANSWER_SECONDS) as client,
        closing(HttpNode(at["REGISTRY_STACKS_URL"])) as node,
        closing(Database(at["REGISTRY_DATABASE_URL"])) as database,
    ):
        chain = Chain(url=at["REGISTRY_STACKS_URL"], node=node, deployer=key_of("deployer", directory))
        yield Stack(client=client, chain=chain, database=database, environment=at)


def key_of(name: str, directory: Path) -> PrivateKey:
    return PrivateKey.from_hex((directory / "keys" / name).read_text())


def nonces(stack: Stack, holder: PrivateKey, directory: Path) -> dict[str, int]:
    """The next nonce of everyone who takes part."""
    cast = {path.name: key_of(path.name, directory) for path in (directory / "keys").iterdir()}
    keys = {**cast, "holder": holder}
    return {name: stack.chain.node.account(Principal(key.address(TESTNET))).nonce for name, key in keys.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A stack that was stopped with a policy in it, and what was true of it then."""

    directory: Path
    said: dict[str, Any]
    wallet: PrivateKey
    policy: dict[str, Any]
    height: StacksHeight
    block: str
    nonces: dict[str, int]

    def copy(self, directory: Path) -> Path:
        """Have a stack like it, to do anything to."""
        subprocess.run(["/bin/cp", "-a", str(self.directory), str(directory)], check=True)  # noqa: S603 - our own files
        return directory


def make(directory: Path) -> Made:
    """Make a stack, buy a policy on it, and stop it."""
    with up(directory) as said:
        with services(said, directory) as stack:
            holder = Holder(stack=stack)
            stack.chain.fund(holder.wallet)
            stack.chain.burn()
            policy = stack.wait_for(holder.buy(), "Active")
            # nothing more is mined from here on: a block in between would change no nonce
            tip = stack.chain.node.tip()
            made = Made(
                directory=directory,
                said=said.said,
                wallet=holder.wallet,
                policy=policy,
                height=tip.height,
                block=tip.index_block_hash,
                nonces=nonces(stack, holder.wallet, directory),
            )
        status, err = said.interrupt()
        assert status == 128 + signal.SIGINT, err
        assert "Traceback" not in err
        assert said.program.left_behind() == set()
    return made
