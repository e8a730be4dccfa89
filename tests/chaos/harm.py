"""What each fault does. Those that last answer how they are ended."""

import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import redis

from registry.domain.units import StacksHeight
from registry.stacks.http_node import HttpNode
from registry.stacks.node import NodeUnavailable
from tests.chaos.schedule import Fault, Kind
from tests.chaos.world import TRIES, World, waiting
from workers.queues import CHAIN, DEFAULT, QUEUES, SIGNING

End = Callable[[], None]
Rule = Mapping[str, object]

DOWN_SECONDS = 0.7
RECOVERY_SECONDS = 0.15
"""How long a server is given before it is killed again."""
WAIT_SECONDS = 3.0
POLL_SECONDS = 0.1
BLOCKS_AFTER_A_STALL = 5
VENUES = ("coinbase", "kraken", "bitstamp")
"""Of five; three have to agree on a price."""

RULES: Mapping[Kind, Rule] = MappingProxyType(
    {
        Kind.LOSE_ANSWERS: {"on": "broadcast", "fault": "lose_answer", "share": "0.7"},
        Kind.FORGET_BROADCASTS: {"on": "broadcast", "fault": "not_stored", "share": "0.7"},
        Kind.GARBAGE: {"on": "broadcast", "fault": "garbage", "share": "0.7"},
        Kind.LIMIT: {"on": "any", "fault": "limit", "retry_after": 1, "share": "0.4"},
        Kind.FAIL: {"on": "any", "fault": "error", "status": 503, "share": "0.4"},
        Kind.RESET: {"on": "any", "fault": "reset", "share": "0.3"},
        Kind.SLOW: {"on": "any", "fault": "delay", "ms": 700, "share": "0.3"},
    }
)
LAG_BLOCKS = 3
PRICES = MappingProxyType({Kind.PRICE_FALLS: 0.98, Kind.PRICE_RISES: 1.02})


@dataclass
class Harm:
    """Does it to one world."""

    world: World
    seed: int
    price: float = 1.0
    """The share of the first price at which the story trades now; faults move it from there."""
    _kinds: set[Kind] = field(default_factory=set)
    """Of those that change what the devnet answers, which are on."""

    def do(self, fault: Fault) -> End | None:
        """Begin a fault; one that is over at once answers None."""
        if fault.kind in RULES or fault.kind is Kind.API_LAGS:
            return self._answers(fault.kind)
        return _ACTS[fault.kind](self, fault)

    def trade_at(self, share: float) -> None:
        """Let the story move prices, whatever a fault made of them."""
        self.price = share
        self.world.price(share)

    def workers(self, *queues: str) -> None:
        """Kill the workers of these queues and start others."""
        self.world.company.kill(*(f"worker-{queue}" for queue in queues))
        self.world.company.start(*(self.world.worker(queue) for queue in queues))

    def again(self, *names: str) -> None:
        """Kill these and start them as they were."""
        self.world.company.start(*self.world.company.kill(*names))

    def second_beat(self, _fault: Fault) -> End:
        """Run a beat beside the first."""
        self.world.company.start(self.world.beat("beat-2"))
        return lambda: self.world.company.retire("beat-2")

    def valkey(self, fault: Fault) -> None:
        """Empty it, or kill it and start it with what it wrote, or with nothing."""
        server, company = self.world.stack.foundations.valkey, self.world.company
        if fault.kind is Kind.FLUSH_VALKEY:
            with redis.Redis.from_url(server.url()) as client:
                client.flushall()
            return
        company.kill("valkey")
        time.sleep(DOWN_SECONDS)
        if fault.kind is Kind.EMPTY_VALKEY:
            server.prepare()
        else:
            server.configure()
        company.start(server.process())

    def postgres(self, fault: Fault) -> None:
        """Stop or kill it, once or again while it recovers, and start it."""
        server, company = self.world.stack.foundations.postgres, self.world.company
        if fault.kind is Kind.STOP_POSTGRES:
            company.retire("postgres", by=signal.SIGQUIT)
            time.sleep(DOWN_SECONDS)
        else:
            company.kill("postgres")
        if fault.kind is Kind.KILL_POSTGRES_TWICE:
            server.unlock()
            company.launch(server.process())
            time.sleep(RECOVERY_SECONDS)
            company.kill("postgres")
        server.unlock()
        company.start(server.process())

    def fork(self, fault: Fault) -> None:
        """Go back, never so far that what our side calls final is undone: a leap of weeks is one block."""
        fate = "keep" if fault.kind is Kind.FORK_KEEPING else "drop"
        for _ in range(TRIES):
            with (
                contextlib.suppress(NodeUnavailable),
                contextlib.closing(HttpNode(self.world.stack.devnet_url)) as node,
            ):
                depth = _depth(node, most=fault.depth)
                if depth:
                    self.world.devnet.reorganise(depth, transactions=fate)
                return
            time.sleep(POLL_SECONDS)

    def drop(self, _fault: Fault) -> None:
        """Hold blocks back until something of the backend's waits, or of an owner's, and drop that."""
        senders = [self.world.stack.cast.backend, *self.world.owners]
        self.world.devnet.pause()
        try:
            limit = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < limit:
                for sender in senders:
                    if found := waiting(self.world, sender.address):
                        self.world.devnet.drop(found[0])
                        return
                time.sleep(POLL_SECONDS)
        finally:
            self.world.devnet.resume()

    def stall(self, _fault: Fault) -> End:
        """Make no block, and at the end many."""
        self.world.devnet.pause()
        return self._many_blocks

    def venues(self, _fault: Fault) -> End:
        """Let as many venues fail as to leave too few."""
        self.world.devnet.take_down(*VENUES)
        return lambda: self.world.devnet.bring_up(*VENUES)

    def prices(self, fault: Fault) -> End:
        """Move the price from where the story has it, and back."""
        self.world.price(self.price * PRICES[fault.kind])
        return lambda: self.world.price(self.price)

    def _many_blocks(self) -> None:
        for _ in range(BLOCKS_AFTER_A_STALL):
            self.world.devnet.burn(1)
        self.world.devnet.resume()

    def _answers(self, kind: Kind) -> End:
        self._kinds.add(kind)
        self._tell()

        def end() -> None:
            self._kinds.discard(kind)
            self._tell()

        return end

    def _tell(self) -> None:
        """Replace the devnet's faults by those that are on."""
        rules: Sequence[Rule] = [RULES[kind] for kind in sorted(self._kinds & RULES.keys())]
        lag = LAG_BLOCKS if Kind.API_LAGS in self._kinds else 0
        self.world.devnet.set_faults(*rules, seed=self.seed, lag=lag)


def _depth(node: HttpNode, *, most: int) -> int:
    """The deepest fork up to this that takes back no more burn blocks than so; 0 while there is none."""
    tip = node.tip()
    for depth in range(most, 0, -1):
        under = node.block(StacksHeight(tip.height - depth))
        if under is not None and tip.burn_height - under.burn_height <= most:
            return depth
    return 0


_ACTS: Mapping[Kind, Callable[[Harm, Fault], End | None]] = MappingProxyType(
    {
        Kind.KILL_SIGNING: lambda harm, _: harm.workers(SIGNING),
        Kind.KILL_CHAIN: lambda harm, _: harm.workers(CHAIN),
        Kind.KILL_DEFAULT: lambda harm, _: harm.workers(DEFAULT),
        Kind.KILL_WORKERS: lambda harm, _: harm.workers(*QUEUES),
        Kind.KILL_BEAT: lambda harm, _: harm.again("beat"),
        Kind.KILL_DOOR: lambda harm, _: harm.again("api"),
        Kind.SECOND_BEAT: Harm.second_beat,
        Kind.RESTART_VALKEY: Harm.valkey,
        Kind.EMPTY_VALKEY: Harm.valkey,
        Kind.FLUSH_VALKEY: Harm.valkey,
        Kind.STOP_POSTGRES: Harm.postgres,
        Kind.KILL_POSTGRES: Harm.postgres,
        Kind.KILL_POSTGRES_TWICE: Harm.postgres,
        Kind.FORK_KEEPING: Harm.fork,
        Kind.FORK_DROPPING: Harm.fork,
        Kind.DROP_WAITING: Harm.drop,
        Kind.VENUES_FAIL: Harm.venues,
        Kind.PRICE_FALLS: Harm.prices,
        Kind.PRICE_RISES: Harm.prices,
        Kind.STALL_BLOCKS: Harm.stall,
    }
)
