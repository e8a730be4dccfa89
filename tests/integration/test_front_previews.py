"""Previews over HTTP: what a policy would cost, without a trace of it, by prices that are fetched once for all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import text
from sqlmodel import SQLModel

from registry.store.session import Database, unit_of_work
from tests.integration.acting import REQUEST, Acting, counted, door_on, fetched
from tests.integration.doors import ask
from tests.integration.stack import Holder, Stack, until
from tests.integration.test_outages import VENUES, trouble

BURST = 30
SECONDS = 10.0
SAME = (
    "premium_amount_base_units",
    "premium_fee_amount_base_units",
    "premium_token",
    "max_payout_base_units",
    "risk_tier",
    "pricing",
)
COUNTED_OUT = {"prices", "daily_closes", "blocks", "chain_events", "pushes"}
"""Tables that grow by themselves, or by fetching."""


@pytest.fixture
def acting(holder: Holder) -> Iterator[Acting]:
    with door_on(holder.stack, holder.address) as url:
        yield Acting(url=url, own=holder)


def preview(url: str, **changes: object) -> requests.Response:
    return ask(url, "POST", "/v1/quotes/preview", json={**REQUEST, **changes})


def told(url: str, **changes: object) -> dict[str, Any]:
    answer = preview(url, **changes)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def grow_old(stack: Stack) -> None:
    """Let the prices that are kept be too old to quote by."""
    with unit_of_work(stack.database) as session:
        for moment in ("observed_at", "fetched_at"):
            session.execute(text(f"UPDATE prices SET {moment} = {moment} - interval '1 hour'"))  # noqa: S608 - our own names


def rows(database: Database) -> dict[str, int]:
    return {name: counted(database, name) for name in SQLModel.metadata.tables if name not in COUNTED_OUT}


def test_a_preview_needs_nobody_to_sign_in_and_keeps_nothing(acting: Acting) -> None:
    database = acting.own.stack.database
    before = rows(database)
    shown = told(acting.url)
    assert rows(database) == before
    assert (shown["risk_tier"], shown["has_room"]) == ("Balanced", True)
    assert int(shown["free_base_units"]) >= int(shown["max_payout_base_units"]) > 0
    assert shown["expiration_timestamp_estimate"] > "2026"


@pytest.mark.parametrize("token", ["STX", "sBTC"])
def test_a_quote_at_the_same_prices_has_the_same_figures(acting: Acting, token: str) -> None:
    created = acting.create(premium_token=token).json()
    shown, quote = told(acting.url, premium_token=token), created["quote"]
    assert {name: shown[name] for name in SAME} == {name: quote[name] for name in SAME}
    assert shown["expiration_height"] - quote["expiration_height"] in range(3)


def test_a_burst_of_previews_fetches_once(acting: Acting) -> None:
    stack = acting.own.stack
    grow_old(stack)
    before = fetched(stack.database)
    with ThreadPoolExecutor(BURST) as crowd:
        answers = list(crowd.map(lambda _: preview(acting.url), range(BURST)))
    assert {answer.status_code for answer in answers} == {200}
    assert fetched(stack.database) - before == 2
    told(acting.url)
    assert fetched(stack.database) - before == 2, "they are fresh"


def test_a_failure_of_venues_is_503_and_over_when_they_are_well(acting: Acting) -> None:
    stack = acting.own.stack
    grow_old(stack)
    with trouble(stack, **dict.fromkeys(VENUES, "down")):
        for _ in range(2):
            failed = preview(acting.url)
            assert (failed.status_code, failed.json()["code"]) == (503, "price_unavailable")
            assert int(failed.headers["Retry-After"]) > 0
    # a failure is told on for a moment
    until(lambda: preview(acting.url).status_code == 200, seconds=SECONDS)


def test_a_preview_says_when_there_is_no_room_and_refuses_what_is_not_sold(acting: Acting) -> None:
    crowded = told(acting.url, protected_amount_sats=999_999_999, premium_token="sBTC")  # noqa: S106 - a coin
    assert crowded["has_room"] is False
    for changes, status, code in (
        ({"duration_days": 91}, 422, "outside_tiers"),
        ({"duration_days": 366}, 422, "bad_request"),
        ({"settlement_token": "sBTC"}, 422, "bad_request"),
        ({"duration_days": "x"}, 400, "bad_request"),
        ({"owner": "me"}, 400, "bad_request"),
    ):
        answer = preview(acting.url, **changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
