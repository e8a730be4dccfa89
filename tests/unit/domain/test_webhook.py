"""Webhooks: signatures that the library verifies, secrets that nobody can guess, pauses that end within a day."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from registry.domain.policy import PolicyStatus
from registry.domain.webhook import (
    LONGEST_NAMED,
    LONGEST_PUT_OFF,
    MEANINGS,
    OF_STATUS,
    PAUSES,
    Kind,
    Tried,
    body_of,
    headers_of,
    message_id,
    once_in_the_money,
    put_off_until,
    secret_of,
    secret_text,
)

MASTER = b"m" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def test_the_library_verifies_what_we_sign_with_either_secret() -> None:
    now, endpoint = datetime.now(UTC), uuid4()
    secrets = [secret_of(MASTER, endpoint, version=version) for version in (2, 1)]
    body = body_of(kind=Kind.ACTIVE, at=now, data={"name": "Zürich", "amount": "12"})
    headers = headers_of(body, message=uuid4(), now=now, secrets=secrets)
    for secret in secrets:
        assert Webhook(secret_text(secret)).verify(body, headers)["data"] == {"name": "Zürich", "amount": "12"}


def test_no_two_endpoints_versions_or_masters_share_a_secret() -> None:
    endpoints = [UUID(int=number) for number in range(20)]
    made = {
        secret_of(master, endpoint, version=version)
        for master in (MASTER, b"n" * 32)
        for endpoint in endpoints
        for version in (1, 2, 256)
    }
    assert len(made) == 2 * len(endpoints) * 3
    assert {len(each) for each in made} == {32}


def test_the_same_message_is_the_same_bytes_under_the_same_id() -> None:
    first = body_of(kind=Kind.ACTIVE, at=NOW, data={"a": 1, "b": 2})
    assert first == body_of(kind=Kind.ACTIVE, at=NOW, data={"b": 2, "a": 1})
    assert message_id("event:1") == message_id("event:1") != message_id("event:2")


def test_every_status_has_a_kind_of_its_name_and_every_kind_a_meaning() -> None:
    snake = {"".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in status)[1:] for status in PolicyStatus}
    assert {OF_STATUS[status].removeprefix("policy.") for status in PolicyStatus} == snake
    assert set(MEANINGS) == set(Kind)


def test_a_payout_is_told_once_in_a_utc_day() -> None:
    policy = uuid4()
    late = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    days = [(late + timedelta(minutes=minutes)).date() for minutes in (-60, 0, 1, 2)]
    assert len({once_in_the_money(policy, day=day) for day in days}) == 2


def tries(delivery: UUID, *, named: timedelta | None = None) -> list[timedelta]:
    """After how long each try is made of a delivery that never arrives."""
    made, now = [timedelta()], NOW
    while True:
        tried = Tried(delivery=delivery, attempts=len(made), first_at=NOW)
        next_at = tried.next_at(now=now, named=named, within=DAY)
        if next_at is None:
            return made
        assert next_at > now
        now = next_at
        made.append(now - NOW)


@pytest.mark.parametrize("delivery", [UUID(int=number) for number in (0, 1, 199_999, 2**127)])
def test_tries_spread_over_a_day_and_end_with_it(delivery: UUID) -> None:
    made = tries(delivery)
    assert made[-1] == DAY
    pauses = [later - earlier for earlier, later in itertools.pairwise(made)]
    for pause, usual in zip(pauses[:-1], PAUSES, strict=False):
        assert usual <= pause <= usual * 1.2
    assert len(made) == 8


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({tries(uuid4())[3] for _ in range(50)}) > 40


def test_a_pause_that_a_receiver_asks_for_makes_the_usual_one_longer_within_bounds() -> None:
    tried = Tried(delivery=UUID(int=0), attempts=1, first_at=NOW)

    def pause(named: timedelta) -> timedelta:
        next_at = tried.next_at(now=NOW, named=named, within=DAY)
        assert next_at is not None
        return next_at - NOW

    assert pause(timedelta(minutes=10)) == timedelta(minutes=10)
    assert timedelta(seconds=5) <= pause(timedelta(seconds=1)) <= timedelta(seconds=6)
    assert pause(timedelta(days=365)) == LONGEST_NAMED


def test_what_is_put_off_waits_as_long_as_what_failed_and_not_long() -> None:
    assert put_off_until(NOW + timedelta(seconds=5), now=NOW) == NOW + timedelta(seconds=5)
    for next_at in (None, NOW + DAY):
        assert put_off_until(next_at, now=NOW) == NOW + LONGEST_PUT_OFF
