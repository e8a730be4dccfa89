"""The schedule of faults: a pure function of the seed, so that a run can be had again."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done to the stack."""

    KILL_SIGNING = "kill the worker that signs"
    KILL_CHAIN = "kill the worker of the chain"
    KILL_DEFAULT = "kill the worker of everything else"
    KILL_WORKERS = "kill all workers at once"
    KILL_BEAT = "kill beat"
    KILL_DOOR = "kill the front door"
    SECOND_BEAT = "run beat twice"
    RESTART_VALKEY = "kill Valkey, which comes back with what it wrote"
    EMPTY_VALKEY = "kill Valkey, which comes back empty"
    FLUSH_VALKEY = "empty Valkey"
    STOP_POSTGRES = "stop Postgres at once"
    KILL_POSTGRES = "kill Postgres"
    KILL_POSTGRES_TWICE = "kill Postgres, and again while it recovers"
    FORK_KEEPING = "take blocks back, their transactions wait again"
    FORK_DROPPING = "take blocks back, their transactions are gone"
    DROP_WAITING = "drop a transaction that waits"
    LOSE_ANSWERS = "do what is broadcast, lose the answer"
    FORGET_BROADCASTS = "take what is broadcast, keep nothing"
    LIMIT = "answer 429"
    FAIL = "answer 503"
    RESET = "reset connections"
    GARBAGE = "answer no JSON"
    SLOW = "answer late"
    API_LAGS = "let the API lag behind its node"
    VENUES_FAIL = "let venues fail"
    PRICE_FALLS = "let prices fall a little"
    PRICE_RISES = "let prices rise a little"
    STALL_BLOCKS = "make no block, then many"


DEEPEST_FORK = 6
_FORKS = {Kind.FORK_KEEPING, Kind.FORK_DROPPING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One of them: when it begins, how long it lasts where it lasts, and how deep it goes; seconds of the run."""

    at: float
    kind: Kind
    seconds: float
    depth: int = 0

    def to_json(self) -> dict[str, object]:
        """Everything of it."""
        return {**asdict(self), "at": round(self.at, 2), "seconds": round(self.seconds, 2)}


def plan(*, seed: int, seconds: float, gap: float) -> Sequence[Fault]:
    """Faults for so many seconds, one about every `gap`; each kind comes up before any does so again."""
    chance = random.Random(seed)  # noqa: S311 - the same seed is to give the same faults
    faults: list[Fault] = []
    at = gap / 2
    for kind in _kinds(chance):
        if at >= seconds:
            return faults
        depth = chance.randint(1, DEEPEST_FORK) if kind in _FORKS else 0
        faults.append(Fault(at=at, kind=kind, seconds=chance.uniform(0.5, 1.2) * gap, depth=depth))
        at += chance.uniform(0.6, 1.4) * gap
    raise AssertionError("kinds have no end")


def _kinds(chance: random.Random) -> Iterator[Kind]:
    for _ in itertools.count():
        yield from chance.sample(list(Kind), k=len(Kind))
