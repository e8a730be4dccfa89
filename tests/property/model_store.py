"""Postgres for the model: rows, compare-and-set, unique constraints, and what was followed of the chain."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from registry.domain.capacity import OpenQuoteLimits, PoolUse, TierUse, check_room
from registry.domain.errors import NoCapacity
from registry.domain.height import ChainHeight, Depths
from registry.domain.parameters import Parameters
from registry.domain.policy import (
    RESUMED,
    SET_OUT,
    TRANSITIONS,
    Edge,
    ExerciseStyle,
    FinalStatus,
    OnChainStatus,
    PolicyFacts,
    PolicyStatus,
    Purchase,
)
from registry.domain.tier import RiskTier
from registry.domain.transaction import IN_A_BLOCK, OPEN, Purpose, TransactionFacts, TransactionStatus
from registry.domain.units import BaseUnits, BlockHash, BurnHeight, Ppm, Token
from tests.property.model_chain import GENESIS, Block, Call, Did

DEPTHS = Depths(confirmed=1, final=2)
START = datetime(2026, 1, 1, tzinfo=UTC)
COLLATERAL = BaseUnits(100)
ASSETS = BaseUnits(1_500)
"""Of which a tier may lock 35 % of 80 %: four policies."""
VALID, RUNS = 2, 8
"""Blocks for which a quote can be bought, and after which a policy runs out."""


class Overtaken(Exception):
    """A policy has moved since it was read, or another transaction may still take effect for it."""


class Guard(StrEnum):
    """What keeps two workers from doing the same: a test shows what happens without."""

    STATUS = "every write of a status names the one that it leaves"
    ONE_OPEN = "one transaction that may still take effect for a policy, signed from what holds then"


@dataclass
class Policy:
    """One row, with what it holds of its tier."""

    id: UUID
    style: ExerciseStyle
    expiration: BurnHeight
    valid_until: BurnHeight
    status: PolicyStatus = PolicyStatus.PENDING_CREATION
    look_at: datetime | None = None
    look_height: BurnHeight | None = None
    recorded_block: BlockHash | None = None
    recorded_end: BlockHash | None = None
    set_out_at: datetime | None = None
    failed_at: datetime | None = None
    request_open: bool = False
    pinned: bool = False
    holds: str = "reserved"
    walk: list[tuple[Edge, PolicyStatus | None, PolicyStatus]] = field(default_factory=list)


@dataclass
class Entry:
    """One policy in a transaction."""

    policy: UUID
    is_open: bool = True
    refusal: int | None = None


@dataclass
class Transaction:
    """One of ours; `number` stands for its id."""

    number: int
    call: Call
    entry: Entry
    signed_at: datetime
    status: TransactionStatus = TransactionStatus.SIGNED
    block: BlockHash | None = None
    look_at: datetime | None = None
    filler: Call | None = None


@dataclass
class Store:
    """All rows. Each method is one unit of work."""

    guards: frozenset[Guard] = frozenset(Guard)
    policies: dict[UUID, Policy] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    applied: list[Block] = field(default_factory=lambda: [GENESIS])
    handed_over: set[BlockHash] = field(default_factory=set)
    next_nonce: int = 0
    sums: dict[str, int] = field(default_factory=lambda: {"reserved": 0, "locked": 0})
    now: datetime = START

    @property
    def height(self) -> ChainHeight:
        return ChainHeight.at(self.applied[-1].height, depths=DEPTHS)

    def tick(self, seconds: float = 0.000001) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def record(self, policy_id: UUID, style: ExerciseStyle, *, height: BurnHeight) -> bool:
        """Record an attempt with its reservation, if there is room."""
        reserved, locked = BaseUnits(self.sums["reserved"]), BaseUnits(self.sums["locked"])
        try:
            check_room(
                COLLATERAL,
                pool=PoolUse(token=Token.STX, assets=ASSETS, locked=locked, reserved=reserved),
                use=TierUse(tier=RiskTier.BALANCED, locked=locked, reserved=reserved, unsigned=BaseUnits(0)),
                parameters=Parameters(),
                limits=OpenQuoteLimits(tier_ppm=Ppm(1_000_000)),
            )
        except NoCapacity:
            return False
        row = Policy(
            id=policy_id,
            style=style,
            expiration=BurnHeight(height + RUNS),
            valid_until=BurnHeight(height + VALID),
            look_at=self.tick(),
        )
        row.walk.append((Edge.RECORDED, None, row.status))
        self.policies[policy_id] = row
        self.sums["reserved"] += COLLATERAL
        return True

    def move(self, policy_id: UUID, edge: Edge, *, leaves: PolicyStatus) -> bool:
        """Move along one edge unless the row has left `leaves`; all that the edge writes comes with it."""
        row = self.policies[policy_id]
        if Guard.STATUS in self.guards and row.status is not leaves:
            return False
        row.walk.append((edge, row.status, TRANSITIONS[edge][1]))
        row.status = TRANSITIONS[edge][1]
        row.look_at, row.look_height = self.tick(), None
        if edge in SET_OUT:
            row.set_out_at = self.now
        if row.status in RESUMED:
            row.failed_at = self.now
        self._hold(row, edge)
        return True

    def _hold(self, row: Policy, edge: Edge) -> None:
        changes = {
            Edge.PURCHASE_CONFIRMED: ("reserved", "locked"),
            Edge.PURCHASED_AFTER_ALL: ("released", "locked"),
            Edge.GIVEN_UP: ("reserved", "released"),
            Edge.PURCHASE_ORPHANED: ("locked", "reserved"),
            Edge.PAID: ("locked", "released"),
            Edge.RELEASED: ("locked", "released"),
            Edge.PAYOUT_ORPHANED: ("released", "locked"),
            Edge.RELEASE_ORPHANED: ("released", "locked"),
        }
        leaves, enters = changes.get(edge, (row.holds, row.holds))
        if Guard.STATUS in self.guards and row.holds != leaves:
            return
        row.holds = enters
        for state, shift in ((leaves, -COLLATERAL), (enters, COLLATERAL)):
            if state in self.sums:
                self.sums[state] += shift

    def sign(self, policy_id: UUID, call: Call, *, read: PolicyFacts) -> int:
        """Keep a transaction under the next nonce, if all is as it was read and none is open for this policy."""
        is_open = any(each.entry.is_open and each.entry.policy == policy_id for each in self.transactions)
        if Guard.ONE_OPEN in self.guards and (is_open or self.facts(policy_id) != read):
            raise Overtaken
        signed = Transaction(
            number=len(self.transactions), call=call, entry=Entry(policy=policy_id), signed_at=self.tick()
        )
        self.next_nonce += 1
        self.transactions.append(signed)
        return signed.number

    def apply(self, block: Block) -> None:
        """Apply a block on its parent; another worker may have done it."""
        if block.parent == self.applied[-1].hash:
            self.applied.append(block)

    def rewind(self, ancestor: int) -> None:
        """Take back what lies above the first `ancestor` blocks, and what it made of our transactions."""
        gone = {block.hash for block in self.applied[ancestor:]}
        concerned = {policy for block in self.applied[ancestor:] for policy in self._named(block)}
        self.applied = self.applied[:ancestor]
        self.handed_over -= gone
        for each in sorted(self.transactions, key=lambda one: -(one.call.nonce or 0)):
            if each.block in gone and each.status in IN_A_BLOCK:
                each.status, each.block, each.look_at = TransactionStatus.SENT, None, self.now
                each.entry.refusal = None
                each.entry.is_open = each.entry.is_open or not any(
                    other.entry.is_open and other.entry.policy == each.entry.policy for other in self.transactions
                )
                concerned.add(each.entry.policy)
        self.due_now(concerned)

    def hand_over(self) -> set[UUID]:
        """Policies that events concern which became confirmed."""
        fresh = [
            block
            for block in self.applied
            if block.height <= self.height.confirmed and block.hash not in self.handed_over
        ]
        self.handed_over |= {block.hash for block in fresh}
        concerned = {policy for block in fresh for policy in self._named(block)}
        self.due_now(concerned)
        return concerned

    def due_now(self, policies: set[UUID]) -> None:
        for policy in policies:
            self.policies[policy].look_at = self.now

    def claim(self, *, lease: timedelta) -> Sequence[UUID]:
        """What stands still and is due."""
        now, tip = self.tick(), self.height.tip
        due = [
            row
            for row in self.policies.values()
            if (row.look_at is not None and row.look_at <= now)
            or (row.look_height is not None and row.look_height <= tip)
        ]
        for row in due:
            row.look_at, row.look_height = now + lease, None
        return [row.id for row in due]

    def facts(self, policy_id: UUID) -> PolicyFacts:
        row = self.policies[policy_id]
        purchase = self._event(policy_id, Did.PURCHASED)
        paid, released = self._event(policy_id, Did.SETTLED), self._event(policy_id, Did.RELEASED)
        marked = self._event(policy_id, Did.MARKED)
        end = paid or released
        status = OnChainStatus.SETTLED if paid else OnChainStatus.EXPIRED
        return PolicyFacts(
            id=policy_id,
            status=row.status,
            style=row.style,
            expiration_height=row.expiration,
            valid_until_height=row.valid_until,
            prepared=True,
            request_open=row.request_open,
            settlement_pinned=row.pinned,
            recorded_block=row.recorded_block,
            recorded_end=row.recorded_end,
            set_out_at=row.set_out_at,
            purchase=None if purchase is None else Purchase(block=purchase.hash, height=purchase.height),
            final=None if end is None else FinalStatus(status=status, block=end.hash, height=end.height),
            marked_expired=marked.height if marked and end is None else None,
            retries_made=sum(edge in RESUMED.values() for edge, _, _ in row.walk),
            retry_from=row.failed_at if row.status in RESUMED else None,
        )

    def transaction_facts(self, policy_id: UUID) -> list[TransactionFacts]:
        return [
            TransactionFacts(
                id=UUID(int=each.number),
                purpose=each.call.purpose or Purpose.SETTLE,
                status=each.status,
                signed_at=each.signed_at,
                refusal=each.entry.refusal,
                look_at=each.look_at,
            )
            for each in self.transactions
            if each.entry.policy == policy_id
        ]

    def on_chain_id(self, policy_id: UUID) -> int | None:
        """The id that the followed chain gave a policy's purchase."""
        for block in reversed(self.applied):
            for mined in block.mined:
                if mined.policy == policy_id and mined.did is Did.PURCHASED:
                    return mined.on_chain
        return None

    def open(self) -> list[Transaction]:
        return [each for each in self.transactions if each.status in OPEN]

    def _event(self, policy_id: UUID, did: Did) -> Block | None:
        for block in reversed(self.applied):
            if any(mined.policy == policy_id and mined.did is did for mined in block.mined):
                return block
        return None

    def _named(self, block: Block) -> list[UUID]:
        return [mined.policy for mined in block.mined if mined.policy in self.policies and mined.policy is not None]
