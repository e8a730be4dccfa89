"""What ran out is expired, what was never bought is given up."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col
from structlog.testing import capture_logs

from registry.domain.steps import StepKind
from registry.domain.units import Token
from registry.services import activation, creation, expiration
from registry.store import policies
from registry.store.session import unit_of_work
from registry.store.tables import PolicyEventRow, ReservationRow, TierCapitalRow, TransactionEntryRow
from tests.integration.driver import LEASE, Driver

WEEK = 7 * 144


@pytest.fixture
def short(driver: Driver) -> tuple[Driver, UUID]:
    """An Active policy that runs a week."""
    return driver, driver.buy(duration_days=7)


def _to(driver: Driver, height: int) -> None:
    """Bring the tip to this height exactly."""
    blocks = height - driver.chain.node.tip().burn_height
    if blocks:
        driver.chain.burn(blocks)
    driver.follow()


def test_the_expiration_height_itself_still_belongs_to_the_owner(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    last = driver.policy(policy_id).expiration_height
    _to(driver, last + driver.depths.confirmed)
    assert driver.height.confirmed == last
    assert driver.expire(policy_id) == []
    _to(driver, last + driver.depths.confirmed + 1)
    assert driver.expire(policy_id) == [policy_id]
    assert driver.edges(policy_id) == "abj"


def test_one_transaction_frees_the_collateral_and_moves_the_registry(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    driver.chain.burn(WEEK + 1)
    driver.follow()
    driver.expire(policy_id)
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain) == ("Expired", 2)
    assert row.tx_id_status_update is not None
    assert driver.edges(policy_id) == "abjk"
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "released"
        tiers = session.execute(select(TierCapitalRow)).scalars().all()
    assert {(tier.reserved_base_units, tier.locked_base_units) for tier in tiers} == {(0, 0)}


def test_in_a_batch_each_entrys_result_decides(driver: Driver) -> None:
    mine, paid = driver.buy(duration_days=7), driver.buy(duration_days=7)
    paid_on_chain = driver.policy(paid).policy_id_on_chain
    assert paid_on_chain is not None
    driver.chain.burn(WEEK + 1)
    driver.follow()
    driver.expire(mine, paid)
    # somebody else's payout comes first: the entry is refused with u103 in a batch that succeeds
    driver.chain.settle(paid_on_chain, amount=3, token=Token.STX)
    driver.chain.mine()
    with capture_logs() as said:
        signed = driver.run(mine, paid)
    assert driver.policy(mine).status_detailed == "Expired"
    with unit_of_work(driver.database) as session:
        refused = session.get_one(TransactionEntryRow, (signed, paid))
    assert refused.refusal == 103
    # no edge leads from here to a payout: it stays as it is, and a person is called
    assert driver.policy(paid).status_detailed == "Expiring"
    assert driver.next(paid) is None
    assert [each["status"] for each in said if each["event"] == "policy.contradicts_chain"] == ["Expiring"] * 2


def test_a_policy_whose_payout_is_asked_for_is_passed_by(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    last = driver.policy(policy_id).expiration_height
    _to(driver, last)
    message = {"owner_principal": driver.owner, "policy_id": str(policy_id), "idempotency_key": "late"}
    activation.request(
        driver.database,
        driver.chain.contracts,
        message,
        height=driver.chain.node.tip().burn_height,
        lease=LEASE,
        now=datetime.now(UTC),
    )
    _to(driver, last + 10)
    assert driver.expire(policy_id) == []
    assert driver.sweep() == ([], [])
    assert driver.next(policy_id) is StepKind.DECIDE


def test_the_sweep_passes_by_what_another_worker_holds_and_notes_when_it_looked(driver: Driver) -> None:
    held, free = driver.buy(duration_days=7), driver.buy(duration_days=8)
    driver.chain.burn(2 * WEEK)
    driver.follow()
    with unit_of_work(driver.database) as session:
        policies.lock(session, held)
        assert driver.sweep() == ([free], [])
    assert driver.policy(free).last_checked_block_height_expiry == driver.height.tip
    assert driver.sweep() == ([held], [])


def test_the_sweep_is_bounded_and_takes_the_oldest_first(driver: Driver) -> None:
    later, sooner = driver.buy(duration_days=8), driver.buy(duration_days=7)
    driver.chain.burn(2 * WEEK)
    driver.follow()
    assert driver.sweep(limit=1) == ([sooner], [])
    assert driver.sweep(limit=2) == ([later], [])
    assert driver.sweep() == ([], [])


def test_what_waits_for_a_price_does_not_hold_up_what_needs_none(driver: Driver) -> None:
    waiting, free = driver.buy(duration_days=7, exercise_style="european"), driver.buy(duration_days=7)
    driver.chain.burn(2 * WEEK)
    driver.follow()
    assert driver.sweep(limit=1) == ([free], [waiting])


def test_a_batch_of_an_older_release_that_is_lost_once_begun_is_found_again(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    with unit_of_work(driver.database) as session:
        policies.look_again(session, policy_id, at=None, height=None)
    driver.chain.burn(2 * WEEK)
    driver.follow()
    assert driver.expire(policy_id) == [policy_id]
    assert driver.claim() == [policy_id]


def test_a_batch_is_signed_as_one_before_its_policies_are_looked_at_one_by_one(driver: Driver) -> None:
    batch = [driver.buy(duration_days=7) for _ in range(3)]
    assert [driver.next(each) for each in driver.claim()] == [None] * 3
    driver.chain.burn(WEEK + 1)
    driver.follow()
    assert sorted(driver.sweep()[0]) == sorted(batch)
    assert driver.claim() == []
    assert driver.expire(*batch) == sorted(batch)
    assert driver.claim() == []
    signed = driver.run(*batch)
    assert [driver.edges(each) for each in batch] == ["abjk"] * 3
    with unit_of_work(driver.database) as session:
        entries = session.execute(select(TransactionEntryRow)).scalars().all()
        assert {entry.transaction_id for entry in entries} == {signed}
        assert sorted(entry.policy_id for entry in entries) == sorted(batch)


def test_beginning_twice_changes_nothing(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    driver.chain.burn(WEEK + 1)
    driver.follow()
    assert driver.expire(policy_id) == driver.expire(policy_id) == [policy_id]
    assert driver.edges(policy_id) == "abj"


def test_what_was_declined_ends_only_when_it_is_outlived(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    message = {"owner_principal": driver.owner, "policy_id": str(policy_id), "declined": True}
    creation.report(driver.database, driver.chain.contracts, message, now=driver.now())
    assert not driver.give_up(policy_id)
    _to(driver, answer["quote"]["valid_until_height"] + driver.depths.confirmed + 1)
    assert driver.give_up(policy_id)
    with unit_of_work(driver.database) as session:
        ended = session.execute(select(PolicyEventRow).where(col(PolicyEventRow.edge) == "e")).scalar_one()
        capital = session.get_one(TierCapitalRow, ("Balanced", Token.STX))
    assert ended.cause == "declined and outlived"
    assert (capital.reserved_base_units, capital.locked_base_units) == (0, 0)


def test_a_quote_is_given_up_only_when_no_confirmed_block_can_hold_it(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    last = answer["quote"]["valid_until_height"]
    _to(driver, last + driver.depths.confirmed)
    assert not driver.give_up(policy_id)
    assert expiration.outlived_quotes(driver.database, height=driver.height, limit=9) == []
    _to(driver, last + driver.depths.confirmed + 1)
    assert expiration.outlived_quotes(driver.database, height=driver.height, limit=9) == [policy_id]
    assert driver.next(policy_id) is StepKind.GIVE_UP
    assert driver.give_up(policy_id)
    assert not driver.give_up(policy_id)
    assert driver.edges(policy_id) == "ae"
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "released"


def test_a_purchase_in_the_last_block_of_a_quote_is_not_given_up(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    _to(driver, answer["quote"]["valid_until_height"])
    driver.chain.burn(10)
    driver.follow()
    assert not driver.give_up(policy_id)
    assert driver.edges(policy_id) == "ab"


def test_an_expired_policy_whose_release_a_fork_undid_is_released_again(short: tuple[Driver, UUID]) -> None:
    driver, policy_id = short
    driver.chain.burn(WEEK + 1)
    driver.follow()
    driver.expire(policy_id)
    signed = driver.run(policy_id)
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    assert driver.edges(policy_id) == "abjkr"
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    for concerned in driver.look(signed):
        driver.sync(concerned)
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "abjkrk"
    with unit_of_work(driver.database) as session:
        names = session.execute(select(col(TransactionEntryRow.policy_id))).scalars().all()
    assert names == [policy_id]
