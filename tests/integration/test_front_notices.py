"""Notices: a policy that runs out soon, or is in the money, is told of once, to whoever wants to know."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from registry.domain.policy import PolicyStatus
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.units import BurnHeight, Token
from registry.domain.webhook import Kind
from registry.services import notices
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.receiving import DAY, Hooks, Receiver, receiving

HEIGHT = BurnHeight(1_000)
BLOCKS = 144
SATS = 10_000_000
STRIKE = 45_000 * 10**8


@pytest.fixture
def hooks(database: Database) -> Hooks:
    return Hooks(database=database)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


def active(hooks: Hooks, on_chain: int, *, token: Token = Token.STX, held: int = 10**12, **changes: object) -> UUID:
    """An Active policy with its collateral."""
    usual = {"expiration_height": 5_000, "protected_amount_sats": SATS, "protected_value_price_feed_units": STRIKE}
    policy = rows.active(on_chain, **{**usual, **changes})
    with unit_of_work(hooks.database) as session:
        session.add(policy)
        session.flush()
        session.add(rows.reservation(policy.id, token=token, amount_base_units=held, state="locked"))
    return policy.id


def price(hooks: Hooks, dollars: int, *, pair: Pair = Pair.BTC_USD) -> None:
    with unit_of_work(hooks.database) as session:
        session.add(rows.price(pair=pair, price=dollars * 10**8, observed_at=hooks.now, fetched_at=hooks.now))


def soon(hooks: Hooks, *, height: int = HEIGHT, limit: int = 100, after: UUID | None = None) -> UUID | None:
    return notices.expiring_soon(
        hooks.database, height=BurnHeight(height), blocks=BLOCKS, now=hooks.now, limit=limit, after=after
    )


def payouts(hooks: Hooks) -> UUID | None:
    return notices.in_the_money(hooks.database, height=HEIGHT, now=hooks.now, limit=100)


def told(hooks: Hooks, kind: Kind) -> list[UUID | None]:
    return [each.policy_id for each in hooks.messages() if each.kind == kind]


def test_an_active_policy_within_the_threshold_is_told_of_once_with_what_is_left(
    hooks: Hooks, receiver: Receiver
) -> None:
    hooks.endpoint(receiver, Kind.EXPIRING_SOON)
    last = active(hooks, 1, expiration_height=HEIGHT + BLOCKS)
    active(hooks, 2, expiration_height=HEIGHT + BLOCKS + 1)
    active(hooks, 3, expiration_height=HEIGHT - 1)
    active(hooks, 4, expiration_height=HEIGHT + 1, status_detailed=PolicyStatus.SETTLING)
    for _ in range(3):
        assert soon(hooks) is None
        hooks.now += DAY
    assert told(hooks, Kind.EXPIRING_SOON) == [last]
    hooks.deliver()
    (received,) = receiver.got
    said = received.told["data"]
    assert (said["policy_id"], said["blocks_left"], said["hours_left"]) == (str(last), BLOCKS, 24)
    assert said["policy"]["protected_value_price_feed_units"] == str(STRIKE)


def test_pages_lead_through_all_of_them(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver)
    policies = {active(hooks, number, expiration_height=HEIGHT + 5) for number in range(1, 8)}
    after, pages = soon(hooks, limit=3), 1
    while after is not None:
        after, pages = soon(hooks, limit=3, after=after), pages + 1
    assert pages == 3
    assert set(told(hooks, Kind.EXPIRING_SOON)) == policies
    # whoever was told of takes no place in a page
    late = {active(hooks, number, expiration_height=HEIGHT + 5) for number in range(8, 11)}
    soon(hooks, limit=3)
    assert set(told(hooks, Kind.EXPIRING_SOON)) == policies | late


def test_a_policy_in_the_money_is_told_of_once_a_day_with_what_it_would_pay(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver, Kind.IN_THE_MONEY)
    hooks.now = hooks.now.replace(hour=10)
    policy = active(hooks, 1)
    price(hooks, 2, pair=Pair.STX_USD)
    price(hooks, 40_000)
    for _ in range(2):
        assert payouts(hooks) is None
    hooks.now += timedelta(seconds=30)
    payouts(hooks)
    assert told(hooks, Kind.IN_THE_MONEY) == [policy]
    hooks.deliver()
    said = receiver.got[0].told["data"]
    # 5 000 USD on a tenth of a bitcoin, at 2 USD an STX
    assert (said["payout_base_units"], said["token"]) == (str(250 * 10**6), "STX")
    assert (said["btc_usd_price_feed_units"], said["stx_usd_price_feed_units"]) == (str(40_000 * 10**8), str(2 * 10**8))
    hooks.now += DAY
    price(hooks, 2, pair=Pair.STX_USD)
    price(hooks, 40_000)
    payouts(hooks)
    assert told(hooks, Kind.IN_THE_MONEY) == [policy, policy]


def test_what_would_be_paid_is_never_more_than_the_collateral(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver, Kind.IN_THE_MONEY)
    active(hooks, 1, token=Token.SBTC, premium_token=Token.SBTC, held=1_000)
    price(hooks, 40_000)
    payouts(hooks)
    assert [each.payload["payout_base_units"] for each in hooks.messages()] == ["1000"]


def test_the_strike_itself_a_stale_price_and_a_lacking_one_tell_of_nothing(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver, Kind.IN_THE_MONEY)
    active(hooks, 1)
    with pytest.raises(PriceUnavailable):
        payouts(hooks)
    price(hooks, 2, pair=Pair.STX_USD)
    price(hooks, 45_000)
    payouts(hooks)
    hooks.now += timedelta(seconds=61)
    with pytest.raises(PriceUnavailable):
        payouts(hooks)
    # without a fresh STX/USD nothing can be said of what is paid in STX
    price(hooks, 40_000)
    payouts(hooks)
    assert hooks.messages() == []


def test_nothing_is_looked_for_that_nobody_wants_to_know(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver, Kind.ACTIVE)
    active(hooks, 1, expiration_height=HEIGHT + 5)
    assert (soon(hooks), payouts(hooks)) == (None, None)
    assert hooks.messages() == []


def test_an_endpoint_that_comes_within_the_time_is_told_what_nobody_was_told(hooks: Hooks, receiver: Receiver) -> None:
    policy = active(hooks, 1, expiration_height=HEIGHT + 5)
    soon(hooks)
    hooks.endpoint(receiver, created_at=hooks.now)
    soon(hooks)
    assert told(hooks, Kind.EXPIRING_SOON) == [policy]
