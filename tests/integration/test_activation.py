"""From an owner's wish to a pinned payout, or to a refusal that leaves the policy Active."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from registry.domain.errors import (
    ActivationOpen,
    BadRequest,
    EuropeanStyle,
    IdempotencyKeyReused,
    PolicyNotActive,
    PolicyNotFound,
    PolicyRanOut,
)
from registry.domain.parameters import Parameters
from registry.domain.policy import ExerciseStyle
from registry.domain.prices import Pair
from registry.domain.settlement import BelowMinimum, NotInTheMoney
from registry.domain.steps import StepKind
from registry.domain.units import Principal, Token
from registry.services import activation, prices
from registry.services.activation import Wish
from registry.stacks.wire import TESTNET
from registry.store import parameters
from registry.store.session import unit_of_work
from registry.store.tables import ActivationRequestRow, PolicyEventRow, SettlementRow
from tests.integration.chain import new_key
from tests.integration.driver import LEASE, Driver

TENTH_OF_A_BTC_FROM_45_TO_40 = 250 * 10**6
"""Micro-STX: 0.1 BTC × 5 000 USD at 2 USD."""


@pytest.fixture
def bought(guest: Driver) -> tuple[Driver, UUID]:
    """An Active policy in STX: 0.1 BTC at 45 000 USD, for a week."""
    return guest, guest.buy(duration_days=7)


def request(driver: Driver, policy_id: UUID | str, *, key: str = "wish", **more: Any) -> Wish:
    """A wish alone, undecided."""
    owner = more.pop("owner", driver.owner)
    height = more.pop("height", None) or driver.chain.node.tip().burn_height
    message = {"owner_principal": owner, "policy_id": str(policy_id), "idempotency_key": key, **more}
    return activation.request(
        driver.database, driver.chain.contracts, message, height=height, lease=LEASE, now=driver.now()
    )


def fetch(driver: Driver, policy_id: UUID) -> list[int]:
    return prices.fetch(driver.database, driver.feed, activation.pairs_for(driver.database, policy_id))


def decide(driver: Driver, policy_id: UUID, price_ids: list[int]) -> dict[str, Any]:
    return activation.decide(driver.database, policy_id, price_ids=price_ids, height=driver.height, now=driver.now())


def switch(driver: Driver, **changes: bool) -> None:
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), **changes), reason="for this test")  # type: ignore[arg-type]


def wishes(driver: Driver, policy_id: UUID) -> list[str]:
    with unit_of_work(driver.database) as session:
        rows = session.execute(
            select(col(ActivationRequestRow.state))
            .where(col(ActivationRequestRow.policy_id) == policy_id)
            .order_by(col(ActivationRequestRow.requested_at))
        )
        return list(rows.scalars())


def settlement(driver: Driver, policy_id: UUID) -> SettlementRow | None:
    with unit_of_work(driver.database) as session:
        return session.get(SettlementRow, policy_id)


def detail(driver: Driver, policy_id: UUID, edge: str) -> dict[str, Any]:
    with unit_of_work(driver.database) as session:
        found: dict[str, Any] = session.execute(
            select(col(PolicyEventRow.detail)).where(
                col(PolicyEventRow.policy_id) == policy_id, col(PolicyEventRow.edge) == edge
            )
        ).scalar_one()
        return found


# what is decided


def test_in_the_money_the_amount_is_pinned_before_anything_is_sent(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    answer = driver.activate(policy_id)
    assert answer["activation"] == {
        "state": "accepted",
        "settlement_amount_base_units": TENTH_OF_A_BTC_FROM_45_TO_40,
        "settlement_token": "STX",
    }
    assert answer["policy"]["status_detailed"] == "Settling"
    assert answer["policy"]["settlement_amount_base_units"] is None  # only the chain confirms it
    pinned = settlement(driver, policy_id)
    assert pinned is not None
    assert (pinned.token, pinned.capped, pinned.formula_version) == ("STX", False, 1)
    assert [each["pair"] for each in pinned.snapshot["prices"]] == ["BTC/USD", "STX/USD"]
    assert driver.policy(policy_id).oracle_data_snapshot_settlement == {"prices": pinned.snapshot["prices"]}


def test_sbtc_is_paid_in_satoshi_at_the_bitcoin_price_alone(guest: Driver) -> None:
    policy_id = guest.buy(premium_token=Token.SBTC.value)
    guest.chain.price("40000")
    wish = request(guest, policy_id)
    assert wish.pairs == (Pair.BTC_USD,)
    assert guest.decide(policy_id)["activation"]["settlement_amount_base_units"] == 1_250_000  # 500 USD at 40 000
    guest.run(policy_id)
    row = guest.policy(policy_id)
    assert (row.status_detailed, row.settlement_token, row.settlement_amount_base_units) == (
        "Settled",
        "sBTC",
        1_250_000,
    )


def test_a_price_that_equals_the_strike_is_refused_and_the_policy_stays_active(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("45000")
    with pytest.raises(NotInTheMoney) as refused:
        driver.activate(policy_id)
    assert refused.value.figures == {"price": 45_000 * 10**8, "strike": 45_000 * 10**8}
    assert (driver.edges(policy_id), wishes(driver, policy_id)) == ("ab", ["refused"])
    assert settlement(driver, policy_id) is None


def test_less_than_the_least_that_the_owner_named_is_refused(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    least = TENTH_OF_A_BTC_FROM_45_TO_40
    with pytest.raises(BelowMinimum) as refused:
        driver.activate(policy_id, key="too much", min_payout_base_units=least + 1)
    assert refused.value.figures == {"payout": least, "token": "STX", "min_payout": least + 1}
    assert driver.policy(policy_id).status_detailed == "Active"
    assert (
        driver.activate(policy_id, key="enough", min_payout_base_units=str(least))["activation"]["state"] == "accepted"
    )


def test_a_payout_never_passes_the_collateral_and_the_event_says_so(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    collateral = 4_050 * 10**6
    driver.chain.price("40000", stx="0.1")
    answer = driver.activate(policy_id)
    assert answer["activation"]["settlement_amount_base_units"] == collateral
    assert detail(driver, policy_id, "c") == {"amount_base_units": collateral, "token": "STX", "capped": True}
    before = driver.balance()
    driver.run(policy_id)
    assert driver.balance() - before == collateral
    assert driver.policy(policy_id).status_detailed == "Settled"


def test_deciding_twice_changes_nothing(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    first = driver.activate(policy_id)
    driver.chain.price("30000")
    assert driver.decide(policy_id) == first
    assert driver.edges(policy_id) == "abc"


def test_two_workers_that_decide_at_once_pin_one_amount(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    request(driver, policy_id)
    ids = fetch(driver, policy_id)
    with ThreadPoolExecutor(max_workers=3) as threads:
        answers = list(threads.map(lambda _: decide(driver, policy_id, ids), range(3)))
    assert answers[0] == answers[1] == answers[2]
    assert driver.edges(policy_id) == "abc"


def test_a_retry_pays_what_was_pinned_after_the_price_moved(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.chain.price("20000")
    before = driver.balance()
    driver.run(policy_id)
    assert driver.balance() - before == TENTH_OF_A_BTC_FROM_45_TO_40
    assert driver.policy(policy_id).settlement_amount_base_units == TENTH_OF_A_BTC_FROM_45_TO_40


# which price decides


def test_a_price_older_than_the_request_never_decides(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    earlier = fetch(driver, policy_id)
    request(driver, policy_id)
    answer = decide(driver, policy_id, earlier)
    assert (answer["policy"]["status_detailed"], answer["activation"]["state"]) == ("Active", "open")
    driver.chain.price("50000")
    with pytest.raises(NotInTheMoney):
        driver.decide(policy_id)


def test_the_first_price_fetched_after_the_request_decides_however_often_it_is_tried(
    bought: tuple[Driver, UUID],
) -> None:
    driver, policy_id = bought
    driver.chain.price("40000")
    request(driver, policy_id)
    fetch(driver, policy_id)  # and whoever was to decide by it is gone
    driver.chain.price("20000")
    assert driver.decide(policy_id)["activation"]["settlement_amount_base_units"] == TENTH_OF_A_BTC_FROM_45_TO_40


def test_while_prices_fail_the_request_stays_open(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    request(driver, policy_id)
    answer = decide(driver, policy_id, [])
    assert (answer["policy"]["status_detailed"], answer["activation"]["state"]) == ("Active", "open")
    assert driver.next(policy_id) is StepKind.DECIDE


def test_switched_off_payouts_are_held_back_and_decided_later_by_the_same_price(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=7)
    switch(driver, activation_enabled=False)
    driver.chain.price("40000")
    held = driver.activate(policy_id)
    assert (held["policy"]["status_detailed"], held["activation"]["state"]) == ("Active", "open")
    driver.chain.price("50000")
    driver.decide(policy_id)
    switch(driver, activation_enabled=True)
    assert driver.decide(policy_id)["activation"]["settlement_amount_base_units"] == TENTH_OF_A_BTC_FROM_45_TO_40


# who may ask, and when


def test_what_is_not_the_owners_looks_like_what_is_missing(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    stranger = Principal(new_key().address(TESTNET))
    with pytest.raises(PolicyNotFound) as refused:
        request(driver, policy_id, owner=stranger)
    with pytest.raises(PolicyNotFound) as missing:
        request(driver, UUID(int=7), owner=stranger)
    assert type(refused.value) is type(missing.value)
    assert refused.value.figures == {"owner": stranger, "policy": str(policy_id)}


def test_a_policy_may_be_named_by_its_on_chain_id(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    assert request(driver, str(driver.policy(policy_id).policy_id_on_chain)).policy_id == policy_id
    with pytest.raises(BadRequest, match="neither a UUID nor an on-chain id"):
        request(driver, "one")


def test_a_second_wish_is_refused_while_one_is_open(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    request(driver, policy_id, key="first")
    with pytest.raises(ActivationOpen):
        request(driver, policy_id, key="second")
    assert wishes(driver, policy_id) == ["open"]


def test_of_two_wishes_at_once_one_is_taken(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought

    def ask(number: int) -> bool:
        try:
            return bool(request(driver, policy_id, key=str(number)))
        except ActivationOpen:
            return False

    with ThreadPoolExecutor(max_workers=4) as threads:
        assert sum(threads.map(ask, range(4))) == 1


def test_the_same_key_is_the_same_wish(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    first = request(driver, policy_id, min_payout_base_units=5)
    assert request(driver, policy_id, min_payout_base_units=5) == first
    with pytest.raises(IdempotencyKeyReused):
        request(driver, policy_id, min_payout_base_units=6)
    driver.chain.price("40000")
    decided = driver.decide(policy_id)
    again = request(driver, policy_id, min_payout_base_units=5)
    assert again == Wish(policy_id=policy_id, pairs=())
    assert decide(driver, policy_id, []) == decided


def test_a_key_that_was_refused_is_refused_with_its_own_figures_again(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    for key, price in (("first", "46000"), ("second", "47000")):
        driver.chain.price(price)
        with pytest.raises(NotInTheMoney):
            driver.activate(policy_id, key=key)
    driver.chain.price("40000")
    driver.activate(policy_id, key="third")
    with pytest.raises(NotInTheMoney) as again:
        request(driver, policy_id, key="first")
    assert again.value.figures["price"] == 46_000 * 10**8


def test_nothing_can_be_asked_of_a_policy_that_is_not_active(guest: Driver) -> None:
    policy_id = UUID(guest.quote()["policy"]["id"])
    with pytest.raises(PolicyNotActive, match="PendingCreation"):
        request(guest, policy_id)
    assert wishes(guest, policy_id) == []


def test_the_last_height_still_belongs_to_the_owner_by_the_nodes_height(bought: tuple[Driver, UUID]) -> None:
    driver, policy_id = bought
    last = driver.policy(policy_id).expiration_height
    with pytest.raises(PolicyRanOut) as refused:
        request(driver, policy_id, height=last + 1)  # though our own tables are a week behind
    assert refused.value.figures == {"policy": str(policy_id), "expiration_height": last, "height": last + 1}
    assert request(driver, policy_id, height=last).pairs


def test_a_wish_made_in_time_is_paid_after_the_policy_ran_out(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=7)
    driver.chain.price("40000")
    request(driver, policy_id, height=driver.policy(policy_id).expiration_height)
    driver.chain.burn(7 * 144 + 10)
    driver.follow()
    assert driver.sweep() == ([], [])
    driver.decide(policy_id)
    driver.run(policy_id)
    assert driver.edges(policy_id) == "abcd"


# before the purchase is final


def test_an_activation_accepted_before_the_purchase_is_final_waits_for_that(guest: Driver) -> None:
    answer = guest.quote()
    policy_id = UUID(answer["policy"]["id"])
    guest.chain.buy(guest.wallet, answer["wallet_payload"])
    guest.chain.mine()
    guest.chain.burn(2)
    guest.follow()
    guest.chain.price("40000")
    assert guest.activate(policy_id)["policy"]["status_detailed"] == "Settling"
    assert (guest.next(policy_id), guest.sign(policy_id)) == (None, None)
    guest.chain.burn(4)
    guest.follow()
    assert guest.next(policy_id) is StepKind.SIGN_AND_BROADCAST


def test_what_is_pinned_outlives_a_fork_and_is_paid_to_the_unit(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    assert driver.edges(policy_id) == "abcp"
    driver.chain.burn()
    driver.chain.burn(6)
    driver.follow()
    driver.chain.price("50000")
    assert (driver.edges(policy_id), driver.next(policy_id)) == ("abcpb", StepKind.DECIDE)
    with pytest.raises(ActivationOpen):
        request(driver, policy_id, key="another")
    assert activation.pairs_for(driver.database, policy_id) == ()
    decide(driver, policy_id, [])
    before = driver.balance()
    driver.run(policy_id)
    assert driver.edges(policy_id) == "abcpbcd"
    assert driver.balance() - before == TENTH_OF_A_BTC_FROM_45_TO_40


def test_what_is_pinned_is_void_once_the_purchase_is_given_up(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn(6)
    driver.follow()
    assert driver.give_up(policy_id)
    assert (settlement(driver, policy_id), wishes(driver, policy_id)) == (None, ["void"])
    void = detail(driver, policy_id, "e")["void"]
    assert void["amount_base_units"] == TENTH_OF_A_BTC_FROM_45_TO_40
    # and if the chain takes the purchase after all, the policy starts anew
    driver.chain.reorganise(1)
    driver.chain.nonces.clear()
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(6)
    driver.follow()
    assert driver.edges(policy_id) == "abcpei"
    assert driver.next(policy_id) is None


# european


@pytest.mark.parametrize(("price", "edge"), [("40000", "c"), ("45000", "j")], ids=["in the money", "at the strike"])
def test_a_european_policy_is_decided_when_it_is_due(driver: Driver, price: str, edge: str) -> None:
    policy_id = driver.buy(duration_days=7, exercise_style=ExerciseStyle.EUROPEAN.value)
    driver.chain.price("30000")
    with pytest.raises(EuropeanStyle, match="decided at height"):
        request(driver, policy_id)
    early = decide(driver, policy_id, fetch(driver, policy_id))
    assert early["policy"]["status_detailed"] == "Active"
    driver.chain.burn(7 * 144 + 1)
    driver.follow()
    driver.chain.price(price)
    assert driver.expire(policy_id) == []
    assert driver.sweep() == ([], [policy_id])
    assert driver.next(policy_id) is StepKind.DECIDE
    assert decide(driver, policy_id, [])["policy"]["status_detailed"] == "Active"  # without a price, it waits
    driver.decide(policy_id)
    assert driver.edges(policy_id) == f"ab{edge}"
    driver.run(policy_id)
    assert driver.edges(policy_id) == f"ab{edge}{'d' if edge == 'c' else 'k'}"


def test_nobody_is_asked_twice_in_a_hurry(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=7)
    request(driver, policy_id)
    assert driver.claim() == []  # who asked decides it
    assert driver.claim(later=LEASE.length) == [policy_id]
    assert driver.claim(later=LEASE.length) == []
    assert driver.next(policy_id) is StepKind.DECIDE
    assert driver.policy(policy_id).next_look_at is not None
    assert driver.policy(policy_id).next_look_at > driver.now() + timedelta(seconds=20)  # type: ignore[operator]
