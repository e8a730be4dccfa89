"""The toll: what a run cost, in one line. It is taken of Postgres, of the chain and of what was asked for.

lost      An intent that was acknowledged and has no effect: a request with no row, a purchase on chain whose policy is
          not Active or further, an activation that was accepted and neither paid nor refused.
doubled   More than one effect of an intent: two policies for a key, two purchases for a quote, two payouts or releases
          of a policy, an edge walked twice with nothing between that undid it, two transactions of ours open or
          successful for one purpose.
stuck     A policy that is in no end state when the run is over, everything is well again and there was time. One that
          is Active, has not run out and was not asked for rests, and is not stuck.
drift     What the audit's checks complain of besides.
recovery  From the end of a fault, if a policy was on its way then, to the next edge that any policy walked.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from registry.domain.policy import Edge, PolicyStatus
from workers.audit.chain import Chain
from workers.audit.records import Ledger, Move, PolicyRecord

PERCENTILE = 0.95

Thing = TypeVar("Thing", bound=Hashable)

_S = PolicyStatus
ENDS = frozenset({_S.SETTLED, _S.EXPIRED, _S.FAILED_CREATION, _S.QUARANTINED})
"""Where a policy may stand when all is over."""

_MOVING = frozenset({_S.PENDING_CREATION, _S.SETTLING, _S.EXPIRING})
_NOT_BOUGHT = frozenset({_S.PENDING_CREATION, _S.FAILED_CREATION})
_UNDOING = frozenset(
    {
        Edge.PURCHASE_ORPHANED,
        Edge.PAYOUT_ORPHANED,
        Edge.RELEASE_ORPHANED,
        Edge.ENTRY_ORPHANED,
        Edge.SETTLEMENT_RESUMED,
        Edge.EXPIRATION_RESUMED,
    }
)
"""After one of these an edge may be walked once more: a fork took it back, or what had failed goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a policy under its key, with every policy that an answer to it named; none, if none came."""

    owner: str
    key: str
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """A request to be paid that was answered as accepted."""

    policy: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A fault: what it was, and from when to when."""

    what: str
    begun: datetime
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What those wrote down who asked, and those who did harm."""

    asked: tuple[Asked, ...] = ()
    wished: tuple[Wished, ...] = ()
    struck: tuple[Struck, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something of the toll in a sentence, and the policy that it is about, if there is one."""

    policy: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """How many of each, and why; `recovery_p95` in seconds, None when no fault had a policy on its way."""

    policies: int
    faults: int
    lost: int
    doubled: int
    stuck: int
    drift: int
    recovery_p95: float | None
    details: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_paid(self) -> bool:
        """Whether nothing was lost, doubled, stuck or adrift."""
        return not (self.lost or self.doubled or self.stuck or self.drift)

    @property
    def line(self) -> str:
        """All of it in one line."""
        recovery = "–" if self.recovery_p95 is None else f"{self.recovery_p95:.1f}"
        return (
            f"policies {self.policies} · faults {self.faults} · lost {self.lost} · doubled {self.doubled}"
            f" · stuck {self.stuck} · drift {self.drift} · recovery p95 {recovery} s"
        )

    def to_json(self) -> dict[str, object]:
        """Everything, for programs."""
        figures = ("policies", "faults", "lost", "doubled", "stuck", "drift", "recovery_p95")
        return {**{name: getattr(self, name) for name in figures}, "details": dict(self.details)}


def take(ledger: Ledger, chain: Chain, journal: Journal, *, complaints: Mapping[str, Sequence[str]]) -> Toll:
    """Count; `complaints` are those of the audit's checks by name, of the same ledger and chain."""
    found = {
        "lost": [*_lost(ledger, chain, journal)],
        "doubled": [*_doubled(ledger, chain, journal)],
        "stuck": [*_stuck(ledger)],
    }
    counted = {each.policy for findings in found.values() for each in findings if each.policy is not None}
    drift = [
        f"{check}: {sentence}"
        for check, sentences in complaints.items()
        for sentence in sentences
        if not any(policy in sentence for policy in counted)
    ]
    details = {name: tuple(each.sentence for each in findings) for name, findings in found.items()}
    return Toll(
        policies=len(ledger.policies),
        faults=len(journal.struck),
        **{name: len(findings) for name, findings in found.items()},
        drift=len(drift),
        recovery_p95=percentile(recoveries(ledger.walks, journal.struck)),
        details={name: sentences for name, sentences in {**details, "drift": tuple(drift)}.items() if sentences},
    )


def _lost(ledger: Ledger, chain: Chain, journal: Journal) -> Iterator[Finding]:
    made = {(request.owner, request.key): request.policy for request in ledger.requests}
    for asked in journal.asked:
        for policy in asked.policies:
            if made.get((asked.owner, asked.key)) is None:
                yield _found(policy, f"{asked.owner} was answered {policy} for {asked.key}, and there is no such row")
    of_on_chain = {policy.on_chain: policy for policy in ledger.policies if policy.on_chain is not None}
    for purchase in chain.purchases:
        row = of_on_chain.get(purchase.on_chain)
        if row is None or row.status in _NOT_BOUGHT:
            what = "no row" if row is None else row.status
            named = None if row is None else row.id
            yield _found(named, f"{purchase.tx_id} bought {purchase.on_chain} on chain, here it has {what}")
    yield from _unpaid(ledger, journal)


def _unpaid(ledger: Ledger, journal: Journal) -> Iterator[Finding]:
    """Activations that were accepted, whose policy ended, and was not paid; one whose purchase a fork took is void."""
    statuses = {policy.id: policy.status for policy in ledger.policies}
    kept = {(wish.policy, wish.key): wish.state for wish in ledger.wishes}
    for wished in journal.wished:
        if (wished.policy, wished.key) not in kept:
            yield _found(wished.policy, f"the activation {wished.key} of {wished.policy} was accepted, and has no row")
    for wish in ledger.wishes:
        status = statuses.get(wish.policy)
        if wish.state in {"open", "accepted"} and status in ENDS and status != _S.SETTLED:
            yield _found(
                wish.policy, f"the activation {wish.key} of {wish.policy} is {wish.state}, its policy {status}"
            )


def _doubled(ledger: Ledger, chain: Chain, journal: Journal) -> Iterator[Finding]:
    named: dict[tuple[str, str], set[str]] = {}
    for request in ledger.requests:
        named.setdefault((request.owner, request.key), set()).add(request.policy)
    for asked in journal.asked:
        named.setdefault((asked.owner, asked.key), set()).update(asked.policies)
    for (owner, key), policies in named.items():
        if len(policies) > 1:
            yield _found(min(policies), f"{owner} has {len(policies)} policies for {key}: {sorted(policies)}")
    for quote, times in _repeated(purchase.quote_id for purchase in chain.purchases):
        yield _found(None, f"the quote {quote} was bought {times} times")
    yield from _ended_twice(ledger, chain)
    of_purpose = _repeated((each.policy, each.purpose) for each in ledger.intents if each.is_done or each.is_open)
    for (policy, purpose), times in of_purpose:
        yield _found(policy, f"policy {policy} has {times} transactions for {purpose}, open or done")
    for policy, walk in ledger.walks.items():
        for edge in _walked_twice(walk):
            yield _found(policy, f"policy {policy} walked {edge} again, and nothing had undone it")


def _ended_twice(ledger: Ledger, chain: Chain) -> Iterator[Finding]:
    ids = {policy.on_chain: policy.id for policy in ledger.policies}
    ends = [*(payout.on_chain for payout in chain.payouts), *(release.on_chain for release in chain.releases)]
    for on_chain, times in _repeated(ends):
        yield _found(ids.get(on_chain), f"policy {on_chain} was paid or released {times} times on chain")


def _walked_twice(walk: Sequence[Move]) -> Iterator[str]:
    since: set[str] = set()
    for move in walk:
        if move.edge in _UNDOING:
            since.clear()
        elif move.edge in since:
            yield move.edge
        else:
            since.add(move.edge)


def _stuck(ledger: Ledger) -> Iterator[Finding]:
    wanted = {wish.policy for wish in ledger.wishes if wish.state == "open"} | set(ledger.pinned)
    for policy in ledger.policies:
        if policy.status not in ENDS and not _rests(policy, ledger, wanted):
            yield _found(policy.id, f"policy {policy.id} is {policy.status} at the end")


def _rests(policy: PolicyRecord, ledger: Ledger, wanted: set[str]) -> bool:
    runs = ledger.burn_height <= policy.expiration
    return policy.status == _S.ACTIVE and runs and policy.id not in wanted


def recoveries(walks: Mapping[str, Sequence[Move]], struck: Sequence[Struck]) -> list[float]:
    """For each fault that ended while a policy was on its way, the seconds until one moved; never: left out."""
    moves = sorted(move.at for walk in walks.values() for move in walk)
    found = []
    for fault in struck:
        following = next((at for at in moves if at > fault.ended), None)
        if following is not None and any(_is_moving(walk, at=fault.ended) for walk in walks.values()):
            found.append((following - fault.ended).total_seconds())
    return found


def percentile(values: Sequence[float], *, share: float = PERCENTILE) -> float | None:
    """The least value that this share of them does not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _is_moving(walk: Sequence[Move], *, at: datetime) -> bool:
    entered = [move.enters for move in walk if move.at <= at]
    return bool(entered) and entered[-1] in _MOVING


def _repeated(things: Iterable[Thing]) -> list[tuple[Thing, int]]:
    return [(thing, times) for thing, times in Counter(things).items() if times > 1]


def _found(policy: str | None, sentence: str) -> Finding:
    return Finding(policy=policy, sentence=sentence)
