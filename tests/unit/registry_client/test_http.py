"""The client over HTTP against answers of every kind: what it repeats, what it never does twice, what it raises."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from registry_client.errors import ApiAlarm, ApiRefused, ApiUnavailable, NotSignedIn
from registry_client.http import PolicyRegistry
from registry_client.streams import Told, events
from registry_client.transport import Patience
from tests.unit.registry_client.scripted import Said, Script, scripted

SHORT = Patience(trying_seconds=1.5, first_pause_seconds=0.01, longest_pause_seconds=0.02, silence_seconds=5.0)
BROKEN = Said(breaks=True)
AWAY = Said(status=503, body={"detail": "away", "code": "database_unavailable"})
PUT: Any = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": 2**60,
    "protected_amount_sats": 1,
    "duration_days": 30,
    "premium_token": "STX",
}
ADDRESS = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
LONG_AGO, FAR_AWAY = "2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as own:
        yield own


@pytest.fixture
def registry(script: Script) -> Iterator[PolicyRegistry]:
    with PolicyRegistry(script.url, token="a-token", patience=SHORT) as own:  # noqa: S106 - of this test's own making
        yield own


def signed(token: str, ends: str) -> Said:
    return Said(status=201, body={"token": token, "token_type": "Bearer", "expires_at": ends, "session": {}})


def test_wide_integers_come_as_integers_and_go_as_they_are(script: Script, registry: PolicyRegistry) -> None:
    script.says(Said(body={"max_payout_base_units": str(2**70), "pricing": {"spot": "5"}, "has_room": True}))
    told = registry.preview(PUT)
    assert (told["max_payout_base_units"], told["pricing"]) == (2**70, {"spot": "5"})
    assert script.asked[0].body["protected_value_price_feed_units"] == 2**60
    assert script.asked[0].headers["authorization"] == "Bearer a-token"


def test_an_action_is_repeated_under_its_key_until_it_is_answered(script: Script, registry: PolicyRegistry) -> None:
    late = Said(status=429, body={"detail": "slow down", "code": "rate_limited"}, headers={"Retry-After": "0"})
    script.says(BROKEN, AWAY, late, Said(status=502, body=b"<html>"), Said(status=201, body={"policy": {"id": "p"}}))
    assert registry.create_policy(PUT)["policy"]["id"] == "p"
    keys = {each.headers["idempotency-key"] for each in script.asked}
    assert (len(script.asked), len(keys)) == (5, 1)
    script.says(Said(body={}), Said(body={}))
    registry.cancel_quote("p")
    registry.cancel_quote("p", idempotency_key="mine")
    assert script.asked[5].headers["idempotency-key"] not in keys
    assert script.asked[6].headers["idempotency-key"] == "mine"


def test_what_has_no_key_is_sent_once(script: Script, registry: PolicyRegistry) -> None:
    for broken in (BROKEN, AWAY):
        script.says(broken)
        with pytest.raises(ApiUnavailable):
            registry.create_api_key("any", ["read"])
    assert len(script.asked) == 2


def test_patience_ends_and_the_key_to_ask_again_with_is_told(script: Script, registry: PolicyRegistry) -> None:
    script.says(*[AWAY] * 1_000)
    with pytest.raises(ApiUnavailable) as late:
        registry.activate_policy("p", idempotency_key="mine")
    assert (late.value.code, late.value.status, late.value.idempotency_key) == ("database_unavailable", 503, "mine")
    script.saying[:] = [Said(status=503, body={}, headers={"Retry-After": "60"})]
    with pytest.raises(ApiUnavailable) as much_later:
        registry.get_pool()
    assert much_later.value.figures == {"retry_after_seconds": 60}


def test_what_is_not_over_is_followed_to_its_end(script: Script) -> None:
    running = {"id": "s", "state": "running", "status": None, "answer": None}
    answer = {"activation": {"settlement_amount_base_units": "25000000"}}
    done = {**running, "state": "done", "status": 200, "answer": answer}
    script.says(Said(status=202, body=running), Said(body=running), Said(body=done))
    with PolicyRegistry(script.url, patience=Patience(trying_seconds=20)) as own:
        assert own.activate_policy(7)["activation"]["settlement_amount_base_units"] == 25_000_000
    assert [each.path for each in script.asked] == ["/v1/policies/7/activation", *["/v1/submissions/s"] * 2]


def test_a_refusal_is_raised_whether_it_comes_at_once_or_later(script: Script, registry: PolicyRegistry) -> None:
    told = {"detail": "the price is not below the strike", "code": "not_in_the_money", "figures": {"price": "5"}}
    done = {"id": "s", "state": "done", "status": 409, "answer": told}
    for answer in (Said(status=409, body=told, headers={"X-Request-Id": "r"}), Said(status=202, body=done)):
        script.says(answer)
        with pytest.raises(ApiRefused) as refused:
            registry.activate_policy("p")
        assert (refused.value.code, refused.value.figures, refused.value.status) == (
            "not_in_the_money",
            {"price": "5"},
            409,
        )
        assert str(refused.value) == "the price is not below the strike (not_in_the_money)"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotSignedIn), (400, ApiRefused), (404, ApiRefused), (500, ApiAlarm), (302, ApiRefused)]
)
def test_each_status_is_an_error_of_its_branch(
    script: Script, registry: PolicyRegistry, status: int, kind: type[Exception]
) -> None:
    script.says(Said(status=status, body=b"nothing of ours", headers={"Location": "http://elsewhere"}))
    with pytest.raises(kind):
        registry.get_policy("../x?y")
    assert [each.path for each in script.asked] == ["/v1/policies/..%2Fx%3Fy"]


def test_lists_are_gone_through_page_by_page(script: Script, registry: PolicyRegistry) -> None:
    script.says(Said(body={"items": [{"id": "1"}], "next": "n"}), Said(body={"items": [{"id": "2"}], "next": None}))
    assert [each["id"] for each in registry.each_policy(status=["Active", "Settled"], limit=1)] == ["1", "2"]
    assert script.asked[0].path == "/v1/policies?status=Active&status=Settled&limit=1"
    assert script.asked[1].path == "/v1/policies?status=Active&status=Settled&limit=1&after=n"


def test_a_wallet_signs_in_and_its_token_is_exchanged_before_it_ends(script: Script) -> None:
    challenge = Said(body={"address": ADDRESS, "nonce": "n", "message": "sign me"})
    me = Said(body={"kind": "holder"})
    with PolicyRegistry(script.url, patience=SHORT) as registry:
        script.says(challenge, signed("first", LONG_AGO), signed("second", FAR_AWAY), me, me)
        registry.sign_in(ADDRESS, lambda text: f"signed: {text}")
        registry.who_am_i()
        registry.who_am_i()
    assert script.asked[1].body == {"address": ADDRESS, "nonce": "n", "signature": "signed: sign me", "kind": "message"}
    borne = [each.headers.get("authorization") for each in script.asked]
    assert borne == [None, None, "Bearer first", "Bearer second", "Bearer second"]


def test_a_session_that_has_ended_is_signed_for_again(script: Script) -> None:
    challenge = Said(body={"address": ADDRESS, "nonce": "n", "message": "sign me"})
    ended = Said(status=401, body={"detail": "over", "code": "session_ended"})
    with PolicyRegistry(script.url, patience=SHORT) as registry:
        script.says(challenge, signed("first", LONG_AGO))
        registry.sign_in(ADDRESS, lambda _: "00")
        script.says(ended, challenge, signed("new", FAR_AWAY), Said(body={"kind": "holder"}), Said(status=204))
        registry.who_am_i()
        registry.sign_out()
        script.says(Said(body={}))
        registry.get_stats()
    assert [each.headers.get("authorization") for each in script.asked[-3:]] == ["Bearer new", "Bearer new", None]


def streamed(*parts: str, **more: Any) -> Said:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part.encode()), part.encode()) for part in parts)
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "text/event-stream"}
    return Said(body=chunks + (b"" if more else b"0\r\n\r\n"), headers=headers)


def event(place: int) -> str:
    return f'event: policy\ndata: {{"seq":{place}}}\nid: {place}\n\n'


def test_a_stream_goes_on_behind_the_last_event_however_it_broke(script: Script, registry: PolicyRegistry) -> None:
    ready = 'event: ready\ndata: {"seq":4}\nid: 4\n\n'
    script.says(
        streamed(ready, ": ping\n\n"),
        streamed(event(5), event(6)[:-1], breaks=True),
        AWAY,
        streamed(event(6) + event(7)[:20], event(7)[20:]),
    )
    told = list(islice(registry.stream_policies(), 4))
    assert [each.data["seq"] for each in told] == [4, 5, 6, 7]
    assert [each.headers.get("last-event-id") for each in script.asked] == [None, "4", "5", "5"]


def test_a_stream_that_one_may_not_hear_is_refused(script: Script, registry: PolicyRegistry) -> None:
    script.says(streamed(event(5)), Said(status=401, body={"detail": "over", "code": "session_ended"}))
    stream = registry.stream_policies(policy=9, after=3)
    assert next(stream).place == "5"
    with pytest.raises(NotSignedIn):
        next(stream)
    assert script.asked[0].path == "/v1/streams/policies/9"
    assert script.asked[0].headers["last-event-id"] == "3"


def test_only_whole_events_count() -> None:
    lines = [b"retry: 1000", b"", b"data: [1,", b"data:2]", b"", b": note", b"id: 9", b"", b"event: x", b"data: 3"]
    assert list(events(lines)) == [Told(name="message", data=[1, 2], place=None)]


def test_an_export_comes_as_it_is_and_says_when_it_broke_off(script: Script, registry: PolicyRegistry) -> None:
    line = '{"id":"p","premium_amount_base_units":"9007199254740993"}\n'
    script.says(streamed(line[:9], line[9:] + line, line[:-1]), streamed(line, line[:9], breaks=True))
    assert [each["premium_amount_base_units"] for each in registry.export_policies(tier=["Balanced"])] == [
        2**53 + 1
    ] * 3
    broken = registry.export_policies()
    assert next(broken)["id"] == "p"
    with pytest.raises(ApiUnavailable):
        next(broken)
