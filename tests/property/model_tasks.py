"""The tasks for the model: generators that yield between two units of work, so that anything may happen meanwhile.

They decide by the functions that the services decide by; only rows and chain are modelled.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from registry.domain.policy import (
    RESUMED,
    Edge,
    ExerciseStyle,
    OnChainStatus,
    PolicyFacts,
    PolicyStatus,
    chain_edge,
    failure_edge,
)
from registry.domain.steps import Step, StepKind, is_due, may_sign, next_step, purposes_of
from registry.domain.transaction import OPEN, TRANSITIONS, Purpose, TransactionStatus
from registry.domain.waiting import next_look
from tests.property.model_chain import Block, Call, Chain, Mined
from tests.property.model_store import Overtaken, Store, Transaction

LEASE = timedelta(seconds=30)
Task = Iterator[None]
_T = TransactionStatus


@dataclass(frozen=True, slots=True)
class Message:
    """What waits in the broker: a task's name and the id that it is about."""

    task: str
    about: UUID | int | None = None


@dataclass
class World:
    """The chain, the store, the broker, and whether the price is under every strike."""

    chain: Chain = field(default_factory=Chain)
    store: Store = field(default_factory=Store)
    queue: list[Message] = field(default_factory=list)
    fallen: bool = True
    two_step: bool = False

    def work(self, message: Message) -> Task:
        """Begin what a message asks for."""
        tasks: Mapping[str, Callable[[UUID], Task]] = {
            "advance": self._advance,
            "sync": self._sync,
            "decide": self._decide,
            "begin": self._begin,
            "give_up": self._give_up,
            "sign": self._sign,
            "retry": self._retry,
        }
        if isinstance(message.about, UUID):
            return tasks[message.task](message.about)
        if message.about is not None:
            return self._look(message.about)
        return self._follow() if message.task == "follow" else self._sweep(message.task)

    def retry(self, policy_id: UUID) -> None:
        """What an operator orders for what failed."""
        list(self._retry(policy_id))

    def _retry(self, policy_id: UUID) -> Task:
        status = self.store.policies[policy_id].status
        yield
        if status in RESUMED:
            self.store.move(policy_id, RESUMED[status], leaves=status)

    def _sweep(self, name: str) -> Task:
        store = self.store
        match name:
            case "advance_all":
                self.queue += [Message("advance", each) for each in store.claim(lease=LEASE)]
            case "poll":
                due = [each for each in store.open() if each.look_at is not None and each.look_at <= store.now]
                self.queue += [Message("look", each.number) for each in due]
            case "sweep":
                for row in store.policies.values():
                    facts = store.facts(row.id)
                    if facts.status is PolicyStatus.ACTIVE and is_due(facts, height=store.height):
                        european = facts.style is ExerciseStyle.EUROPEAN
                        self.queue.append(Message("advance" if european or facts.request_open else "begin", row.id))
        yield

    def _advance(self, policy_id: UUID) -> Task:
        store = self.store
        facts, own = store.facts(policy_id), store.transaction_facts(policy_id)
        step = next_step(facts, own, height=store.height, now=store.tick())
        row = store.policies[policy_id]
        if step is None:
            look = next_look(facts, own, height=store.height, now=store.now, pause=LEASE)
            row.look_at, row.look_height = look.at, look.height
        else:
            row.look_at, row.look_height = store.now + LEASE, None
            yield  # committed, and not published yet
            self.queue.append(_message(policy_id, step))

    def _sync(self, policy_id: UUID) -> Task:
        store = self.store
        while True:
            facts = store.facts(policy_id)
            edge = chain_edge(facts, height=store.height) or failure_edge(facts, store.transaction_facts(policy_id))
            if edge is None:
                break
            yield
            if not store.move(policy_id, edge, leaves=facts.status):
                break
            self._write(facts, edge)
        self.queue.append(Message("advance", policy_id))

    def _write(self, facts: PolicyFacts, edge: Edge) -> None:
        """What an edge of the chain writes with the status."""
        row = self.store.policies[facts.id]
        match edge:
            case Edge.PURCHASE_CONFIRMED | Edge.PURCHASED_AFTER_ALL if facts.purchase:
                row.recorded_block = facts.purchase.block
            case Edge.PURCHASE_ORPHANED:
                row.recorded_block = None
            case Edge.PAID | Edge.RELEASED if facts.final:
                row.recorded_end = facts.final.block
            case Edge.PAYOUT_ORPHANED | Edge.RELEASE_ORPHANED:
                row.recorded_end = None
            case Edge.ACTIVATED | Edge.DUE:
                row.request_open = False

    def _decide(self, policy_id: UUID) -> Task:
        store, fallen = self.store, self.fallen
        facts, row = store.facts(policy_id), store.policies[policy_id]
        yield
        due = facts.style is ExerciseStyle.EUROPEAN and is_due(facts, height=store.height)
        if facts.status is not PolicyStatus.ACTIVE or not (facts.settlement_pinned or facts.request_open or due):
            return
        if facts.settlement_pinned or fallen:
            if store.move(policy_id, Edge.ACTIVATED, leaves=PolicyStatus.ACTIVE):
                row.pinned, row.request_open = True, False
                self.queue.append(Message("advance", policy_id))
        elif facts.request_open:
            row.request_open = False
        else:
            store.move(policy_id, Edge.DUE, leaves=PolicyStatus.ACTIVE)

    def _begin(self, policy_id: UUID) -> Task:
        store = self.store
        facts = store.facts(policy_id)
        waits = facts.request_open or facts.settlement_pinned or facts.style is ExerciseStyle.EUROPEAN
        yield
        if facts.status is PolicyStatus.ACTIVE and is_due(facts, height=store.height) and not waits:
            store.move(policy_id, Edge.DUE, leaves=PolicyStatus.ACTIVE)
        self.queue.append(Message("sign", policy_id))

    def _give_up(self, policy_id: UUID) -> Task:
        store = self.store
        facts, row = store.facts(policy_id), store.policies[policy_id]
        outlived = facts.valid_until_height is not None and store.height.confirmed > facts.valid_until_height
        yield
        if (
            outlived
            and facts.purchase is None
            and store.move(policy_id, Edge.GIVEN_UP, leaves=PolicyStatus.PENDING_CREATION)
        ):
            row.request_open = row.pinned = False

    def _sign(self, policy_id: UUID) -> Task:
        store = self.store
        facts, own = store.facts(policy_id), store.transaction_facts(policy_id)
        under_way = next((each.id.int for each in own if each.is_open), None)
        if under_way is None:
            on_chain = store.on_chain_id(policy_id)
            if not may_sign(facts, own, height=store.height) or on_chain is None:
                return
            purpose = self._purpose(purposes_of(facts, height=store.height))
            yield
            call = Call(policy=policy_id, purpose=purpose, nonce=store.next_nonce, on_chain=on_chain)
            try:
                under_way = store.sign(policy_id, call, read=facts)
            except Overtaken:
                return
        yield
        signed = store.transactions[under_way]
        if signed.status is _T.SIGNED:
            self._offer(signed)
            yield  # taken by the node, and not noted yet
            _move(signed, leaves=_T.SIGNED, enters=_T.SENT)
            signed.look_at = store.tick()
        self.queue.append(Message("look", under_way))

    def _purpose(self, purposes: frozenset[Purpose]) -> Purpose:
        if Purpose.EXPIRE in purposes:
            return Purpose.MARK_EXPIRED if self.two_step else Purpose.EXPIRE
        return next(iter(purposes))

    def _offer(self, signed: Transaction) -> None:
        """Send what was signed, or what uses its nonce for nothing once a fork took back the id that it names."""
        if self.store.on_chain_id(signed.entry.policy) != signed.call.on_chain:
            signed.filler = signed.filler or Call(
                policy=signed.entry.policy, purpose=Purpose.FILL, nonce=signed.call.nonce
            )
        self.chain.send(signed.filler or signed.call)

    def _look(self, number: int) -> Task:
        signed = self.store.transactions[number]
        if signed.status not in OPEN:
            return
        calls = [call for call in (signed.call, signed.filler) if call is not None]
        seen = next((found for found in map(self.chain.find, calls) if found), None)
        yield
        if seen is None and signed.status is not _T.SIGNED:
            self._offer(signed)
            yield
        self._keep(signed, seen)

    def _keep(self, signed: Transaction, seen: tuple[Block, Mined] | None) -> None:
        store = self.store
        signed.look_at = store.tick() + timedelta(seconds=2)
        if seen is None:
            if _move(signed, leaves=_T.MINED, enters=_T.SENT):
                signed.block = None
            return
        block, mined = seen
        for leaves in (_T.SIGNED, _T.SENT):
            _move(signed, leaves=leaves, enters=_T.MINED)
        if signed.status is not _T.MINED:
            return
        signed.block = block.hash
        if block.height > store.height.confirmed or block not in store.applied:
            return
        filled = mined.call.purpose is Purpose.FILL
        enters = _T.VOIDED if filled else _T.SUCCEEDED if mined.refusal is None else _T.ABORTED
        _move(signed, leaves=_T.MINED, enters=enters)
        signed.look_at, signed.entry.is_open, signed.entry.refusal = None, False, mined.refusal
        self.queue.append(Message("sync", signed.entry.policy))

    def _follow(self) -> Task:
        store, chain = self.store, self.chain
        common = next(n for n in range(len(store.applied), 0, -1) if store.applied[n - 1] in chain.blocks)
        if common < len(store.applied):
            yield
            if len(store.applied) > common and store.applied[common - 1] in chain.blocks:
                store.rewind(common)
        for block in chain.blocks[common:]:
            yield
            store.apply(block)
        yield
        self.queue += [Message("sync", each) for each in sorted(store.hand_over())]


def _message(policy_id: UUID, step: Step) -> Message:
    if step.kind is StepKind.MONITOR and step.transaction_id is not None:
        return Message("look", step.transaction_id.int)
    tasks = {
        StepKind.GIVE_UP: "give_up",
        StepKind.SYNC_STATUS: "sync",
        StepKind.DECIDE: "decide",
        StepKind.BEGIN_EXPIRATION: "begin",
        StepKind.SIGN_AND_BROADCAST: "sign",
        StepKind.RETRY: "retry",
    }
    return Message(tasks[step.kind], policy_id)


def _move(signed: Transaction, *, leaves: TransactionStatus, enters: TransactionStatus) -> bool:
    assert enters in TRANSITIONS[leaves]
    if signed.status is leaves:
        signed.status = enters
        return True
    return False


def agrees(status: PolicyStatus, on_chain: OnChainStatus | None) -> bool:
    """Whether an end is what the contract says."""
    return {
        PolicyStatus.SETTLED: on_chain is OnChainStatus.SETTLED,
        PolicyStatus.EXPIRED: on_chain is OnChainStatus.EXPIRED,
        PolicyStatus.FAILED_CREATION: on_chain is None,
    }.get(status, False)
