"""One filter over policies: whatever it asks for, it finds what a plain look at every policy finds, in its order."""

from datetime import timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Principal, Sats, Token, Usd8
from registry.queries import search
from registry.queries.search import Direction, Filter, Order, Present, Sort
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow
from tests.integration import rows
from tests.integration.asking import BORN, OTHER, OWNER, add, pending, policy

HEIGHT = BurnHeight(1_010)
PRESENT = Present(now=BORN + timedelta(hours=1), height=HEIGHT)
MANY = 60
KEYS = {
    Sort.CREATED_AT: attrgetter("created_at", "id"),
    Sort.EXPIRATION_HEIGHT: attrgetter("expiration_height", "id"),
    Sort.PROTECTED_VALUE: attrgetter("protected_value_price_feed_units", "id"),
}


def made(number: int) -> tuple[PolicyRow, Token | None]:
    """One of many that differ in everything, and the token of its quote; few values, so that many are equal."""
    common = {
        "owner_principal": (OWNER, OTHER)[number % 2],
        "counterparty_principal": f"{OWNER}.pool-{number % 3}",
        "protected_value_price_feed_units": (40 + number % 5) * 10**12,
        "protected_amount_sats": 10**7 * (1 + number % 4),
        "exercise_style": list(ExerciseStyle)[number % 7 % 2],
        "expiration_height": 1_000 + number % 20,
        "created_at": BORN + timedelta(minutes=number % 11),
        "risk_tier": list(RiskTier)[number % 3],
    }
    token = list(Token)[number % 5 % 2]
    if number % 4 == 0:
        return pending(number, **common), token
    status = [each for each in PolicyStatus if each not in {"PendingCreation", "FailedCreation"}][number % 8]
    estimate = None if number % 6 == 1 else BORN + timedelta(hours=number % 9)
    # the quote's token goes before the one that was paid in, should they ever differ
    paid = list(Token)[number % 3 % 2]
    row = policy(number, **common, status_detailed=status, premium_token=paid, expiration_timestamp_estimate=estimate)
    return row, token if number % 10 else None


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> tuple[Database, list[tuple[PolicyRow, Token | None]]]:
    own = [made(number) for number in range(1, MANY)]
    add(module_database, *(row for row, _ in own))
    add(module_database, *(rows.reservation(row.id, token=token) for row, token in own if token is not None))
    return module_database, own


def matches(row: PolicyRow, token: Token | None, wanted: Filter) -> bool:
    """The filter once more, read aloud."""

    def within(value: Any, lowest: Any, highest: Any) -> bool:
        return (lowest is None or value >= lowest) and (highest is None or value <= highest)

    hours, estimate = wanted.expiring_within_hours, row.expiration_timestamp_estimate
    blocks = wanted.expiring_within_blocks
    return all(
        (
            wanted.owner in {None, row.owner_principal},
            wanted.counterparty in {None, row.counterparty_principal},
            not wanted.statuses or row.status_detailed in wanted.statuses,
            wanted.policy_type in {None, "PUT"},
            not wanted.tiers or row.risk_tier in wanted.tiers,
            not wanted.tokens or (token or row.premium_token) in wanted.tokens,
            wanted.style in {None, row.exercise_style},
            within(row.protected_value_price_feed_units, wanted.strike_min, wanted.strike_max),
            within(row.protected_amount_sats, wanted.amount_min, wanted.amount_max),
            within(row.expiration_height, wanted.expiration_min, wanted.expiration_max),
            blocks is None or HEIGHT <= row.expiration_height <= HEIGHT + blocks,
            hours is None or (estimate and PRESENT.now <= estimate <= PRESENT.now + timedelta(hours=hours)),
            within(row.created_at, wanted.created_from, None),
            wanted.created_to is None or row.created_at < wanted.created_to,
        )
    )


def some(kind: Any) -> Any:
    return st.lists(st.sampled_from(list(kind)), max_size=3, unique=True).map(tuple)


def maybe(values: Any) -> Any:
    return st.none() | values


TIMES = st.integers(-1, 12).map(lambda minutes: BORN + timedelta(minutes=minutes))
STRIKES = st.integers(39, 46).map(lambda thousands: Usd8(thousands * 10**12))
AMOUNTS = st.integers(0, 5).map(lambda tenths: Sats(tenths * 10**7))
HEIGHTS = st.integers(998, 1_022).map(BurnHeight)
FILTERS = st.builds(
    Filter,
    owner=maybe(st.sampled_from([Principal(OWNER), Principal(OTHER)])),
    counterparty=maybe(st.integers(0, 3).map(lambda number: Principal(f"{OWNER}.pool-{number}"))),
    statuses=some(PolicyStatus),
    policy_type=maybe(st.just("PUT")),
    tiers=some(RiskTier),
    tokens=some(Token),
    style=maybe(st.sampled_from(ExerciseStyle)),
    strike_min=maybe(STRIKES),
    strike_max=maybe(STRIKES),
    amount_min=maybe(AMOUNTS),
    amount_max=maybe(AMOUNTS),
    expiration_min=maybe(HEIGHTS),
    expiration_max=maybe(HEIGHTS),
    expiring_within_blocks=maybe(st.integers(0, 12)),
    expiring_within_hours=maybe(st.integers(1, 9)),
    created_from=maybe(TIMES),
    created_to=maybe(TIMES),
)
ORDERS = st.builds(Order, sort=st.sampled_from(Sort), direction=st.sampled_from(Direction))


def found(database: Database, wanted: Filter, order: Order, *, limit: int) -> list[UUID]:
    """Every page's, one behind the other, each place through its cursor."""
    ids: list[UUID] = []
    cursor = None
    while True:
        after = None if cursor is None else search.place_of(cursor, wanted, order)
        with unit_of_work(database) as session:
            page = search.find(session, wanted, order, present=PRESENT, limit=limit, after=after)
        ids += [row.id for row in page.rows]
        if page.end is None:
            return ids
        assert len(page.rows) == limit
        cursor = search.cursor_of(page.end, wanted, order)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=FILTERS, order=ORDERS, limit=st.integers(1, 30))
def test_a_filter_finds_what_a_look_at_every_policy_finds_in_its_order(
    crowd: tuple[Database, list[tuple[PolicyRow, Token | None]]], wanted: Filter, order: Order, limit: int
) -> None:
    database, everyone = crowd
    expected = [row for row, token in everyone if matches(row, token, wanted)]
    expected.sort(key=KEYS[order.sort], reverse=order.direction is Direction.DESC)
    assert found(database, wanted, order, limit=limit) == [row.id for row in expected]


def test_each_term_alone_leaves_some_out_and_finds_some(
    crowd: tuple[Database, list[tuple[PolicyRow, Token | None]]],
) -> None:
    """The plain look above says nothing where it finds nothing."""
    database, everyone = crowd
    terms = (
        Filter(owner=Principal(OWNER)),
        Filter(counterparty=Principal(f"{OWNER}.pool-1")),
        Filter(statuses=(PolicyStatus.ACTIVE, PolicyStatus.SETTLING)),
        Filter(tiers=(RiskTier.BALANCED,)),
        Filter(tokens=(Token.SBTC,)),
        Filter(style=ExerciseStyle.EUROPEAN),
        Filter(strike_min=Usd8(42 * 10**12)),
        Filter(strike_max=Usd8(42 * 10**12)),
        Filter(amount_min=Sats(2 * 10**7)),
        Filter(amount_max=Sats(2 * 10**7)),
        Filter(expiration_min=BurnHeight(1_010)),
        Filter(expiration_max=BurnHeight(1_010)),
        Filter(expiring_within_blocks=5),
        Filter(expiring_within_hours=3),
        Filter(created_from=BORN + timedelta(minutes=5)),
        Filter(created_to=BORN + timedelta(minutes=5)),
    )
    for wanted in terms:
        ids = found(database, wanted, Order(), limit=30)
        assert 0 < len(ids) < len(everyone), wanted
        assert set(ids) == {row.id for row, token in everyone if matches(row, token, wanted)}
