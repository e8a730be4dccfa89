"""What the chapters of the demo stand on: waiting side by side in one thread, while every policy is looked at."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from registry.domain.policy import PolicyStatus
from registry.stacks.node import StacksNode
from workers.client import RegistryClient
from workers.demo.devnet import Devnet
from workers.demo.display import Display
from workers.demo.lives import ENDS, Life, LifeWentWrong
from workers.demo.stack import Stack
from workers.embedded.supervisor import Supervisor
from workers.pending import Pending

LIMIT_SECONDS = 45.0
TICK_SECONDS = 0.05
LOOK_SECONDS = 0.3

Answer = TypeVar("Answer")

Waiting = Generator[None, None, None]
"""Runs to its next wait each time it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stack with those who act on it."""

    supervisor: Supervisor
    stack: Stack
    client: RegistryClient
    devnet: Devnet
    node: StacksNode
    display: Display
    lives: Sequence[Life]

    def together(self, waits: Sequence[Waiting]) -> None:
        """Resume each in turn until all are over; what is seen of the policies is refreshed meanwhile.

        Raises:
            LifeWentWrong: a policy came to a wrong end, or to none in time.
            ProcessDied: a process of the stack has.
        """
        limit = time.monotonic() + LIMIT_SECONDS
        watching, going = self._watch(), list(waits)
        while going := [wait for wait in going if not _is_over(wait)]:
            next(watching)
            self.display.refresh()
            self.supervisor.wait(TICK_SECONDS)
            if time.monotonic() > limit:
                raise self._wrong(next((life for life in self.lives if not life.is_over), self.lives[0]))
        self.display.refresh()

    def until(self, life: Life, status: PolicyStatus, *, step: str | None = None) -> Waiting:
        """Wait until a policy has a status; `step` is what that took, if its clock runs."""
        before = life.status
        while life.status != status:
            if life.status != before and life.status in ENDS:
                raise self._wrong(life)
            yield
        if step is not None:
            life.end(step)

    def sign(self, lives: Sequence[Life]) -> None:
        """Run the owners' wallets, each a program of its own, side by side."""
        keys = self.supervisor.directory / "keys"
        self.supervisor.start(
            *(life.owner.signing(life.wallet_payload, node_url=self.stack.devnet_url, directory=keys) for life in lives)
        )

    def sent(self, life: Life) -> str:
        """The txid that an owner's wallet said."""
        return life.owner.sent(self.supervisor.directory / "logs" / f"{life.owner.program}.log")

    def _watch(self) -> Iterator[None]:
        """Ask for every policy that has not ended, again and again, without end."""
        while True:
            known = [(life, life.id) for life in self.lives if life.id is not None and not life.is_over]
            asked = [self.client.get_by_id(policy_id) for _, policy_id in known]
            while not all(pending.is_over() for pending in asked):
                yield
            for (life, _), pending in zip(known, asked, strict=True):
                life.policy = pending.answer() or life.policy
            yield from pause(LOOK_SECONDS)

    def _wrong(self, life: Life) -> LifeWentWrong:
        return LifeWentWrong(
            name=life.plan.name,
            policy=life.id or "not recorded",
            status=life.status,
            wanted=life.plan.ending.value,
            directory=str(self.supervisor.directory / "logs"),
        )


def answered(pending: Pending[Answer]) -> Generator[None, None, Answer]:
    """Wait for an answer, or raise the refusal."""
    while not pending.is_over():
        yield
    return pending.answer()


def pause(seconds: float) -> Waiting:
    """Wait a while."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        yield


def _is_over(wait: Waiting) -> bool:
    """Resume once and answer whether that was the end of it."""
    try:
        next(wait)
    except StopIteration:
        return True
    return False
