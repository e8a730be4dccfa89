"""Beat twice at once, and not at all for an hour, and a broker that forgets: the same workers, and the same end."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import func, select
from sqlmodel import col

from registry.domain.transaction import Purpose
from registry.domain.units import Principal
from registry.stacks.wire import TESTNET
from registry.store.session import Database, unit_of_work
from registry.store.tables import (
    ChainEventRow,
    PolicyRow,
    SettlementRow,
    SignerRow,
    TransactionEntryRow,
    TransactionRow,
)
from tests.conftest import enter_first_free
from tests.integration.chain import Chain
from tests.integration.conftest import SCHEDULE
from tests.integration.stack import ANSWER_SECONDS, LIFE_SECONDS, Holder, Stack, until
from workers.client import RegistryClient
from workers.embedded.supervisor import Supervisor
from workers.local import beat, worker

TICKS = 3
EMPTIED = 5
HOUR_BLOCKS = 6
CATCH_UP_SECONDS = 15.0


@pytest.fixture(scope="module")
def stack(
    own_supervisor: Supervisor, valkey: str, own_chain: Chain, database_url: str, key_files: dict[str, str]
) -> Iterator[Stack]:
    """Three workers, on databases of Valkey that no other test uses, and no beat."""
    server = valkey.removesuffix("/0")
    environment = {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": f"{server}/2",
        "REGISTRY_RESULT_URL": f"{server}/3",
        "REGISTRY_STACKS_URL": own_chain.url,
        "REGISTRY_VENUE_URL": f"{own_chain.url}/venues",
        "REGISTRY_PYTH_API_KEY": "any",
        "REGISTRY_REGISTRY_CONTRACT": own_chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": own_chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": own_chain.contracts.sbtc,
        "REGISTRY_SCHEDULE_SECONDS": json.dumps(SCHEDULE),
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
        "REGISTRY_LEASE_SECONDS": "2",
    }
    own_supervisor.start(
        worker("signing", environment={**environment, **key_files}),
        worker("chain", environment=environment),
        worker("default", environment=environment, concurrency=2),
    )
    at_broker, at_results = environment["REGISTRY_BROKER_URL"], environment["REGISTRY_RESULT_URL"]
    with (
        RegistryClient(at_broker, at_results, answer_seconds=ANSWER_SECONDS) as client,
        contextlib.closing(Database(database_url)) as database,
    ):
        yield Stack(client=client, chain=own_chain, database=database, environment=environment)


@contextlib.contextmanager
def beats(stack: Stack, *names: str) -> Iterator[Supervisor]:
    """As many beats as names, until the block is left."""
    with contextlib.ExitStack() as held:
        clocks = enter_first_free(held)
        one = beat(environment=stack.environment)
        clocks.start(*[replace(one, name=name) for name in names])
        yield clocks


def ticks(clocks: Supervisor, name: str) -> int:
    """How often a beat has enqueued the task that moves policies."""
    return (clocks.directory / "logs" / f"{name}.log").read_text().count("Sending due task advance")


def let_all_tick(clocks: Supervisor, stack: Stack, *names: str) -> None:
    """Blocks come until every beat has had its say a few times more."""
    after = {name: ticks(clocks, name) + TICKS for name in names}
    until(
        lambda: all(ticks(clocks, name) >= count for name, count in after.items()),
        meanwhile=stack.chain.burn,
        seconds=CATCH_UP_SECONDS,
    )


def balance(holder: Holder) -> int:
    return holder.stack.chain.node.account(Principal(holder.address)).balance


def status(stack: Stack, policy_id: str) -> str:
    found: str = stack.ask("policies.get_by_id", {"policy_id": policy_id})["status_detailed"]
    return found


def policies_of(holder: Holder) -> Sequence[str]:
    with unit_of_work(holder.stack.database) as session:
        rows = session.execute(select(col(PolicyRow.id)).where(col(PolicyRow.owner_principal) == holder.address))
        return [str(each) for each in rows.scalars()]


def purposes(stack: Stack, policy_id: str) -> Sequence[str]:
    """What each of our transactions that name a policy is for."""
    with unit_of_work(stack.database) as session:
        rows = session.execute(
            select(col(TransactionRow.purpose))
            .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
            .where(col(TransactionEntryRow.policy_id) == UUID(policy_id))
        )
        return rows.scalars().all()


def payouts(stack: Stack, on_chain: int) -> tuple[int, int]:
    """How many are owed for a policy, and how many the chain tells of."""
    with unit_of_work(stack.database) as session:
        owed = session.execute(
            select(func.count())
            .select_from(SettlementRow)
            .join(PolicyRow, col(PolicyRow.id) == col(SettlementRow.policy_id))
            .where(col(PolicyRow.policy_id_on_chain) == on_chain)
        ).scalar_one()
        told = session.execute(
            select(func.count())
            .select_from(ChainEventRow)
            .where(col(ChainEventRow.policy_id_on_chain) == on_chain, col(ChainEventRow.name) == "policy-settled")
        ).scalar_one()
        return owed, told


def assert_dense_nonces(stack: Stack) -> None:
    """The backend's transactions have every nonce from the first to the chain's next, each once."""
    address = Principal(stack.chain.backend.address(TESTNET))
    with unit_of_work(stack.database) as session:
        nonces = session.execute(
            select(col(TransactionRow.nonce)).where(col(TransactionRow.signer) == address).order_by("nonce")
        ).scalars()
        following = session.execute(
            select(col(SignerRow.next_nonce)).where(col(SignerRow.principal) == address)
        ).scalar_one()
        assert list(nonces) == list(range(following))
    assert stack.chain.node.account(address).nonce == following


def test_two_beats_at_once_do_everything_once(holder: Holder) -> None:
    stack, names = holder.stack, ("beat-1", "beat-2")
    with beats(stack, *names) as clocks:
        let_all_tick(clocks, stack, *names)
        policy_id = holder.buy()
        stack.chain.price("40000")
        before = balance(holder)
        accepted = holder.activate(policy_id)
        settled = stack.wait_for(policy_id, "Settled")
        let_all_tick(clocks, stack, *names)
    assert status(stack, policy_id) == "Settled"
    assert policies_of(holder) == [policy_id]
    assert purposes(stack, policy_id) == [Purpose.SETTLE]
    assert payouts(stack, settled["policy_id_on_chain"]) == (1, 1)
    assert balance(holder) - before == accepted["activation"]["settlement_amount_base_units"]
    assert_dense_nonces(stack)


def test_one_beat_catches_up_with_an_hour_without_any(holder: Holder) -> None:
    stack = holder.stack
    with beats(stack, "beat"):
        ending = holder.buy(duration_days=7)
        expiration = stack.ask("policies.get_by_id", {"policy_id": ending})["expiration_height"]
        stack.chain.burn(expiration - stack.chain.node.tip().burn_height)
    bought, outlived = holder.request(), holder.request()
    stack.chain.buy(holder.wallet, bought["wallet_payload"])
    for _ in range(HOUR_BLOCKS):
        stack.chain.burn()
    expected = {ending: "Expired", bought["policy"]["id"]: "Active", outlived["policy"]["id"]: "FailedCreation"}
    asleep = [status(stack, policy_id) for policy_id in expected]
    assert asleep == ["Active", "PendingCreation", "PendingCreation"]
    with beats(stack, "beat"):
        for policy_id, end in expected.items():
            stack.wait_for(policy_id, end)
    assert sorted(policies_of(holder)) == sorted(expected)
    assert purposes(stack, ending) == [Purpose.EXPIRE]
    assert_dense_nonces(stack)


def test_a_broker_that_is_emptied_again_and_again_costs_time_only(stack: Stack) -> None:
    holder = Holder(stack=stack)
    stack.chain.fund(holder.wallet)
    stack.chain.price("50000")
    answer = holder.request()
    policy_id: str = answer["policy"]["id"]
    stack.chain.buy(holder.wallet, answer["wallet_payload"])
    with beats(stack, "beat"):
        come_to(stack, policy_id, "Active", emptied=EMPTIED)
        stack.chain.price("40000")
        before = balance(holder)
        stack.ask(
            "policies.request_activation",
            {"owner_principal": holder.address, "policy_id": policy_id, "idempotency_key": "once"},
        )
        come_to(stack, policy_id, "Settled", emptied=EMPTIED)
    with unit_of_work(stack.database) as session:
        owed = session.get_one(SettlementRow, UUID(policy_id)).amount_base_units
    assert balance(holder) == before + owed


def come_to(stack: Stack, policy_id: str, status: str, *, emptied: int) -> None:
    """Blocks come until a policy has a status; after each of the first ones the broker is emptied."""
    left = emptied

    def empty_and_burn() -> None:
        nonlocal left
        stack.chain.burn()
        if left:
            left -= 1
            for name in ("REGISTRY_BROKER_URL", "REGISTRY_RESULT_URL"):
                with contextlib.closing(Redis.from_url(stack.environment[name])) as broker:
                    broker.flushdb()

    until(lambda: kept_status(stack, policy_id) == status, meanwhile=empty_and_burn, seconds=LIFE_SECONDS)
    assert left < emptied


def kept_status(stack: Stack, policy_id: str) -> str:
    """As Postgres has it: a question's answer could be emptied away."""
    with unit_of_work(stack.database) as session:
        return session.get_one(PolicyRow, UUID(policy_id)).status_detailed
