"""The story of a run: waves of policies are bought, paid and outlived under faults; then quiet until all have ended."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg2

from registry.stacks.http_node import HttpNode
from tests.chaos.conductor import Conductor
from tests.chaos.lives import DAYS, Life, lives
from tests.chaos.order import Order
from tests.chaos.owners import GaveUp, Owner
from tests.chaos.watch import Watch
from tests.chaos.world import WORKERS, World, applied_block
from workers.audit.toll import ENDS

CHAPTER_SECONDS = 150.0
DRAIN_SECONDS = 120.0
QUIET_SECONDS = 30.0
BLOCKS_TO_RUN_OUT = DAYS * 144 + 10
FALLEN, AT_THE_END = 0.6, 0.84
"""Shares of the first price: every policy is in the money, then some of the European ones."""
SOLD, PAID = 0.45, 0.7
"""At which part of a wave these chapters are over, unless they take longer."""


@dataclass
class Story:
    """Told in the main thread; each owner acts in a thread of the pool."""

    order: Order
    own: World
    owners: Sequence[Owner]
    watch: Watch
    conductor: Conductor
    pool: ThreadPoolExecutor
    slow: list[str] = field(default_factory=list)
    """What did not come within its time, though the run went on."""

    def live(self) -> None:
        """Go through all waves and all faults."""
        everyone = lives(self.order.policies, seed=self.order.seed)
        for wave in range(self.order.waves):
            self._wave(wave, everyone[wave :: self.order.waves])
        self.conductor.end()

    def drain(self) -> None:
        """With everything well again wait, with a limit, until every policy has ended and the last block is applied."""
        self._within("every policy ends", self._all_ended, seconds=DRAIN_SECONDS)
        self.own.devnet.pause()
        self._within("the last block is applied", self._all_applied, seconds=QUIET_SECONDS)
        for name in ("beat", "api", *WORKERS):
            self.own.company.retire(name)

    def _wave(self, number: int, crowd: Sequence[Life]) -> None:
        share = self.order.seconds / self.order.waves
        begun, conductor = share * number, self.conductor
        conductor.tell(f"wave {number + 1}: {len(crowd)} policies are asked for")
        conductor.harm.trade_at(1.0)
        self._together(crowd, Owner.sell)
        self._until(begun + SOLD * share)
        conductor.tell(f"wave {number + 1}: the price falls, some ask to be paid")
        conductor.harm.trade_at(FALLEN)
        self._together(crowd, Owner.activate)
        self._until(begun + PAID * share)
        conductor.tell(f"wave {number + 1}: weeks pass")
        conductor.harm.trade_at(AT_THE_END)
        self.own.devnet.burn(BLOCKS_TO_RUN_OUT)
        self._until(begun + share)

    def _together(self, crowd: Sequence[Life], act: Callable[[Owner, Life], None]) -> None:
        """Let all owners act side by side, each for one of his lives after another."""
        turns: dict[int, list[Life]] = {}
        for place, life in enumerate(crowd):
            turns.setdefault(place % len(self.owners), []).append(life)
        begun = [self.pool.submit(self._in_turn, self.owners[owner], mine, act) for owner, mine in turns.items()]
        self._within("owners act", lambda: all(each.done() for each in begun), seconds=CHAPTER_SECONDS)
        for each in begun:
            if each.done():
                each.result()

    def _in_turn(self, owner: Owner, mine: Sequence[Life], act: Callable[[Owner, Life], None]) -> None:
        for life in mine:
            try:
                act(owner, life)
            except GaveUp:
                self.slow.append(f"policy {life.number} was given up by its owner")

    def _until(self, seconds: float) -> None:
        self.conductor.until(lambda: self.conductor.seconds >= seconds, seconds=self.order.seconds)

    def _within(self, what: str, reached: Callable[[], bool], *, seconds: float) -> None:
        if not self.conductor.until(reached, seconds=seconds):
            self.slow.append(f"not within {seconds:g} s: {what}")
            self.conductor.tell(self.slow[-1])

    def _all_ended(self) -> bool:
        with contextlib.suppress(psycopg2.Error):
            self.watch.look()
        return self.watch.transactions == 0 and all(status in ENDS for status in self.watch.seen.values())

    def _all_applied(self) -> bool:
        with contextlib.closing(HttpNode(self.own.stack.devnet_url)) as node:
            return applied_block(self.own.database_url) == node.tip().index_block_hash

    def to_json(self) -> Mapping[str, object]:
        """How it went, besides the toll."""
        return {
            "faults": [fault.to_json() for fault in self.conductor.done],
            "faults_not_done": self.conductor.undone,
            "ended_by_themselves": dict(self.own.company.missed),
            "asked_again": self.owners[0].repeated.repeats,
            "statuses": dict(self.watch.counts()),
            "slow": self.slow,
        }
