"""Several workers, redelivered and lost messages, forks: in whatever order, every policy ends as it should.

What decides is the domain's own functions; rows, broker and chain are models of what the services use.
"""

from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from registry.domain.policy import TRANSITIONS, ExerciseStyle, PolicyStatus
from registry.domain.transaction import TransactionStatus
from tests.property.model_chain import Call, Did
from tests.property.model_store import Guard, Policy, Store
from tests.property.model_tasks import Message, Task, World, agrees

BEAT = ("follow", "poll", "advance_all", "sweep")
OF_POLICY = ("advance", "sync", "decide", "begin", "give_up", "sign", "retry")
ENDS = (PolicyStatus.SETTLED, PolicyStatus.EXPIRED, PolicyStatus.FAILED_CREATION)
WORKERS = 3
ROUNDS = 60
EXAMPLES = settings(
    max_examples=120,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

anything = st.integers(min_value=0, max_value=1_000)


class Registry(RuleBasedStateMachine):
    """Owners, workers, a broker and a chain that are as bad as they may be."""

    guards = frozenset(Guard)

    def __init__(self) -> None:
        super().__init__()
        self.world = World(store=Store(guards=self.guards))
        self.workers: list[tuple[Message, Task]] = []
        self.is_sound = True

    # owners

    @rule(european=st.booleans())
    def request(self, european: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
        style = ExerciseStyle.EUROPEAN if european else ExerciseStyle.AMERICAN
        self.world.store.record(uuid4(), style, height=self.world.chain.tip.height)

    @precondition(lambda self: self.world.store.policies)
    @rule(which=anything)
    def buy(self, which: int) -> None:
        row = self.policy(which)
        self.world.chain.send(Call(policy=row.id, valid_until=row.valid_until, expiration=row.expiration))

    @rule(european=st.booleans(), blocks=st.integers(min_value=1, max_value=10))
    def sell(self, european: bool, blocks: int) -> None:  # noqa: FBT001 - as above
        """A policy that is bought at once, and what the chain makes of it meanwhile is known to the workers."""
        self.request(european=european)
        if self.world.store.policies:
            self.buy(which=len(self.world.store.policies) - 1)
        self.mine(blocks=blocks)
        self.go_on()

    @precondition(lambda self: self.world.store.policies)
    @rule(which=anything)
    def ask(self, which: int) -> None:
        row, tip = self.policy(which), self.world.chain.tip.height
        american = row.style is ExerciseStyle.AMERICAN and not row.pinned
        if row.status is PolicyStatus.ACTIVE and american and tip <= row.expiration:
            row.request_open, row.look_at = True, self.world.store.tick()

    # the chain

    @rule(blocks=st.integers(min_value=1, max_value=4))
    def mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self.world.chain.mine()

    @rule(depth=st.integers(min_value=1, max_value=4), keep=st.booleans(), longer=st.integers(min_value=0, max_value=2))
    def fork(self, depth: int, keep: bool, longer: int) -> None:  # noqa: FBT001 - as above
        self.world.chain.fork(depth, keep=keep)
        self.mine(depth + longer)

    @rule(fallen=st.booleans(), two_step=st.booleans(), obeys=st.booleans())
    def switch(self, fallen: bool, two_step: bool, obeys: bool) -> None:  # noqa: FBT001 - as above
        self.world.fallen, self.world.two_step, self.world.chain.obeys = fallen, two_step, obeys

    # the broker and the workers

    @rule(tasks=st.sets(st.sampled_from(BEAT), min_size=1), seconds=st.sampled_from([0, 1, 60, 7_200]))
    def beat(self, tasks: set[str], seconds: int) -> None:
        self.world.store.tick(seconds)
        self.world.queue += [Message(task) for task in BEAT if task in tasks]

    @precondition(lambda self: self.world.queue and len(self.workers) < WORKERS)
    @rule(which=anything, again=st.booleans())
    def begin(self, which: int, again: bool) -> None:  # noqa: FBT001 - as above
        """A worker takes a message; `again`: another will get it too."""
        place = which % len(self.world.queue)
        message = self.world.queue[place] if again else self.world.queue.pop(place)
        self.workers.append((message, self.world.work(message)))

    @precondition(lambda self: self.workers)
    @rule(which=anything, units=st.integers(min_value=1, max_value=3))
    def work(self, which: int, units: int) -> None:
        place = which % len(self.workers)
        for _ in range(units):
            if next(self.workers[place][1], self) is self:
                self.workers.pop(place)
                return

    @precondition(lambda self: self.workers)
    @rule(which=anything, lost=st.booleans())
    def kill(self, which: int, lost: bool) -> None:  # noqa: FBT001 - as above
        message, _ = self.workers.pop(which % len(self.workers))
        if not lost:
            self.world.queue.append(message)

    @precondition(lambda self: self.world.store.policies)
    @rule(which=anything, tasks=st.lists(st.sampled_from(OF_POLICY), min_size=2, max_size=2), mined=st.booleans())
    def race(self, which: int, tasks: list[str], mined: bool) -> None:  # noqa: FBT001 - as above
        """Two workers read the same policy before either writes, the newest block followed or not."""
        if mined:
            self.mine(blocks=1)
            list(self.world.work(Message("follow")))
        racing = [self.world.work(Message(task, self.policy(which).id)) for task in tasks]
        for task in racing:
            next(task, None)
        for task in racing:
            list(task)

    @precondition(lambda self: self.world.store.policies)
    @rule(which=anything)
    def rush(self, which: int) -> None:
        """An owner asks, and two workers sign what he is owed at once."""
        self.ask(which=which)
        list(self.world.work(Message("decide", self.policy(which).id)))
        self.race(which=which, tasks=["sign", "sign"], mined=False)

    @rule(lost=st.booleans())
    def finish(self, lost: bool) -> None:  # noqa: FBT001 - as above
        """Everything that was begun or waits is done, or the broker is emptied first."""
        if lost:
            self.world.queue.clear()
        for _, task in self.workers:
            list(task)
        self.workers.clear()
        self.drain()

    @rule()
    def go_on(self) -> None:
        """A round in which everything is well."""
        self.world.store.tick(60)
        self.world.queue += [Message(task) for task in BEAT]
        self.drain()

    def policy(self, which: int) -> Policy:
        rows = list(self.world.store.policies.values())
        return rows[which % len(rows)]

    def drain(self) -> None:
        for _ in range(1_000):
            if not self.world.queue:
                return
            list(self.world.work(self.world.queue.pop(0)))
        raise AssertionError("messages that enqueue each other for ever")

    # what holds at every moment

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        self.is_sound = False
        self.statuses_walk_edges_only()
        self.one_transaction_for_one_intent()
        self.nonces_are_dense()
        self.capacity_is_what_policies_hold()
        self.is_sound = True

    def statuses_walk_edges_only(self) -> None:
        for row in self.world.store.policies.values():
            assert all(
                leaves in TRANSITIONS[edge][0] and enters is TRANSITIONS[edge][1] for edge, leaves, enters in row.walk
            )
            assert all(before[2] is after[1] for before, after in pairwise(row.walk))

    def one_transaction_for_one_intent(self) -> None:
        for row in self.world.store.policies.values():
            own = [each for each in self.world.store.transactions if each.entry.policy == row.id]
            assert sum(each.entry.is_open for each in own) <= 1
            done = [each.call.purpose for each in own if each.status is TransactionStatus.SUCCEEDED]
            assert len(done) == len(set(done))
            ends = [did for did in self.world.chain.done(row.id) if did in {Did.SETTLED, Did.RELEASED}]
            assert len(ends) <= 1

    def nonces_are_dense(self) -> None:
        nonces = [each.call.nonce for each in self.world.store.transactions]
        assert nonces == list(range(self.world.store.next_nonce))

    def capacity_is_what_policies_hold(self) -> None:
        store = self.world.store
        for state, held in store.sums.items():
            assert held == 100 * sum(row.holds == state for row in store.policies.values())

    # and in the end

    def teardown(self) -> None:
        """The broker is emptied, the contract obeys, an operator retries what failed: then every policy ends."""
        if not self.is_sound:
            return
        world = self.world
        self.workers.clear()
        world.queue.clear()
        world.chain.obeys = True
        for _ in range(ROUNDS):
            world.chain.mine()
            self.go_on()
            for row in world.store.policies.values():
                world.retry(row.id)
            if all(row.status in ENDS for row in world.store.policies.values()) and not world.store.open():
                break
        for row in world.store.policies.values():
            assert agrees(row.status, world.chain.status_of(row.id)), (row, world.store.transaction_facts(row.id))
            assert row.holds == "released"
        self.nothing_is_lost_or_doubled()


class Unguarded(Registry):
    """A write of a status that does not name the status it leaves."""

    guards = frozenset({Guard.ONE_OPEN})


class Unconstrained(Registry):
    """A second transaction for a policy while the first may still take effect."""

    guards = frozenset({Guard.STATUS})


def test_whatever_comes_in_whatever_order_every_policy_ends_as_the_chain_says() -> None:
    run_state_machine_as_test(Registry, settings=EXAMPLES)


@pytest.mark.parametrize("machine", [Unguarded, Unconstrained])
def test_without_either_guard_something_is_lost_or_doubled(machine: type[Registry]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=settings(EXAMPLES, phases=[Phase.generate]))
