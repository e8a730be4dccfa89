"""The story of the demo: quotes, purchases, a price fall with payouts, a week that passes; all by Celery calls."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from registry.domain.policy import PolicyStatus
from registry.domain.units import BLOCKS_PER_DAY
from workers.client import RegistryClient
from workers.demo.devnet import Devnet
from workers.demo.display import Display
from workers.demo.lives import PRICE_AFTER, PRICE_BEFORE, Ending, Life, LifeWentWrong
from workers.demo.stack import Stack
from workers.embedded.supervisor import Supervisor
from workers.pending import Pending

LIMIT_SECONDS = 45.0
TICK_SECONDS = 0.05
LOOK_SECONDS = 0.25

Answer = TypeVar("Answer")

Waiting = Generator[None, None, None]
"""Runs to its next wait each time it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Takes lives from their beginning to their end, all of a chapter side by side in one thread."""

    supervisor: Supervisor
    stack: Stack
    client: RegistryClient
    devnet: Devnet
    display: Display
    lives: Sequence[Life]

    def tell(self) -> None:
        """Tell every chapter.

        Raises:
            LifeWentWrong: a policy came to a wrong end, or to none in time.
            ProcessDied: a process of the stack has.
        """
        signed = self._of(Ending.SETTLED, Ending.EXPIRED)
        self.devnet.set_prices(PRICE_BEFORE)
        self.display.phase("owners ask for quotes")
        self._together([self._quote(life) for life in self.lives])
        self.display.phase("wallets sign, purchases are confirmed")
        self._sign(signed)
        self._together([self._buy(life) for life in signed])
        self.devnet.set_prices(PRICE_AFTER)
        self.display.phase("the price falls, payouts are confirmed")
        self._together([self._activate(life) for life in self._of(Ending.SETTLED)])
        self.display.phase("weeks pass, what ran out expires")
        running_out = self._of(Ending.EXPIRED, Ending.NEVER_SIGNED)
        self.devnet.burn(max(life.plan.days for life in self._of(Ending.EXPIRED)) * BLOCKS_PER_DAY + 1)
        self._together([self._run_out(life) for life in running_out])

    def _of(self, *endings: Ending) -> list[Life]:
        return [life for life in self.lives if life.plan.ending in endings]

    def _together(self, waits: Sequence[Waiting]) -> None:
        """Resume each in turn until all are over; what is seen of the policies is refreshed meanwhile."""
        limit = time.monotonic() + LIMIT_SECONDS
        watching, going = self._watch(), list(waits)
        while going := [wait for wait in going if not _is_over(wait)]:
            next(watching)
            self.display.refresh()
            self.supervisor.wait(TICK_SECONDS)
            if time.monotonic() > limit:
                raise self._wrong(next((life for life in self.lives if not life.is_over), self.lives[0]))
        self.display.refresh()

    def _watch(self) -> Iterator[None]:
        """Ask for every policy again and again, without end."""
        while True:
            known = [(life, life.id) for life in self.lives if life.id is not None]
            asked = [self.client.get_by_id(policy_id) for _, policy_id in known]
            while not all(pending.is_over() for pending in asked):
                yield
            for (life, _), pending in zip(known, asked, strict=True):
                life.policy = pending.answer() or life.policy
            yield from _pause(LOOK_SECONDS)

    def _until(self, life: Life, status: PolicyStatus) -> Waiting:
        while life.status != status:
            if life.ends_wrongly():
                raise self._wrong(life)
            yield

    def _quote(self, life: Life) -> Waiting:
        life.begin("quote")
        key = f"demo-{life.plan.name}"
        asked = self.client.request_creation(life.owner.address, life.plan.request(), idempotency_key=key)
        answer = yield from _answered(asked)
        life.end("quote")
        life.policy, life.wallet_payload = answer["policy"], answer["wallet_payload"]

    def _sign(self, lives: Sequence[Life]) -> None:
        """Run the owners' wallets, each a program of its own, side by side."""
        for life in lives:
            life.begin("purchase_to_active")
        directory = self.supervisor.directory
        self.supervisor.start(
            *(
                life.owner.signing(life.wallet_payload, node_url=self.stack.devnet_url, directory=directory / "keys")
                for life in lives
            )
        )

    def _buy(self, life: Life) -> Waiting:
        tx_id = life.owner.sent(self.supervisor.directory / "logs" / f"{life.owner.program}.log")
        yield from _answered(self.client.report_creation_tx(life.owner.address, life.policy["id"], tx_id))
        yield from self._until(life, PolicyStatus.ACTIVE)
        life.end("purchase_to_active")

    def _activate(self, life: Life) -> Waiting:
        life.begin("activation_to_settled")
        life.begin("activation_to_settling")
        key = f"demo-{life.plan.name}"
        asked = self.client.request_activation(life.owner.address, life.policy["id"], idempotency_key=key)
        yield from _answered(asked)
        life.end("activation_to_settling")
        yield from self._until(life, PolicyStatus.SETTLED)
        life.end("activation_to_settled")

    def _run_out(self, life: Life) -> Waiting:
        life.begin("running_out")
        yield from self._until(life, PolicyStatus(life.plan.ending.value))
        life.end("running_out")

    def _wrong(self, life: Life) -> LifeWentWrong:
        return LifeWentWrong(
            name=life.plan.name,
            policy=life.id or "not recorded",
            status=life.status,
            wanted=life.plan.ending.value,
            directory=str(self.supervisor.directory / "logs"),
        )


def _is_over(wait: Waiting) -> bool:
    """Resume once and answer whether that was the end of it."""
    try:
        next(wait)
    except StopIteration:
        return True
    return False


def _answered(pending: Pending[Answer]) -> Generator[None, None, Answer]:
    while not pending.is_over():
        yield
    return pending.answer()


def _pause(seconds: float) -> Waiting:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        yield
