"""Webhooks: told once of everything, in order, signed, until it arrives; nobody costs another anything."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook, WebhookVerificationError

from registry import fault_points
from registry.domain.policy import PolicyStatus
from registry.domain.webhook import MOST_ENDPOINTS, TROUBLE, Kind, TooManyEndpoints
from registry.services import webhook_endpoints, webhooks
from registry.services.webhook_endpoints import Change
from registry.store import webhooks as store
from registry.store.feed import give_places
from registry.store.front_tables import ApiKeyRow, WebhookEndpointRow, WebhookState
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.pump import Killed
from tests.integration.receiving import DAY, SECONDS, Hooks, Received, Receiver, receiving
from tests.integration.stack import until

LIFE = (
    PolicyStatus.PENDING_CREATION,
    PolicyStatus.ACTIVE,
    PolicyStatus.PENDING_CREATION,  # a fork
    PolicyStatus.ACTIVE,
    PolicyStatus.SETTLING,
    PolicyStatus.FAILED_SETTLEMENT,
    PolicyStatus.SETTLING,
    PolicyStatus.SETTLED,
)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def hooks(database: Database) -> Hooks:
    return Hooks(database=database)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


def statuses(receiver: Receiver, policy: UUID) -> list[str]:
    """What a receiver was told of a policy, in the order in which it was."""
    told = [each.told["data"] for each in receiver.got]
    return [each["to"] for each in told if each["policy_id"] == str(policy)]


def killed_at(place: str) -> fault_points.Watcher:
    def strike(name: str) -> None:
        if name.endswith(place):
            raise Killed(name)

    return strike


# what is told


def test_every_status_of_every_policy_is_told_once_and_in_order(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policies = [hooks.events() for _ in range(5)]
    for status in LIFE:
        for policy in policies:
            hooks.event(policy, status)
    assert hooks.send() == len(LIFE) * len(policies)
    assert (hooks.collect(), hooks.deliver(after=DAY)) == (0, 0)
    assert len(set(receiver.ids)) == len(receiver.ids) == len(LIFE) * len(policies)
    for policy in policies:
        assert statuses(receiver, policy) == list(LIFE)
    assert {each.kind for each in receiver.got} == {Kind[status.name] for status in LIFE}
    assert hooks.states(endpoint) == [WebhookState.DELIVERED] * len(receiver.got)


def test_a_message_is_signed_as_standard_webhooks_has_it_and_says_what_happened(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.send()
    (received,) = receiver.got
    told = received.verified(hooks.secret(endpoint))
    assert (told["type"], told["data"]["policy_id"]) == ("policy.pending_creation", str(policy))
    assert told["data"]["policy"]["protected_value_price_feed_units"] == str(45_000 * 10**8)
    assert told["timestamp"] == told["data"]["at"]
    assert received.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        received.verified(hooks.secret(endpoint, version=2))
    with pytest.raises(WebhookVerificationError):
        Webhook(hooks.secret(endpoint)).verify(received.body + b" ", received.headers)


def test_an_endpoint_hears_of_its_kinds_alone_and_of_nothing_from_before_it_was_there(
    hooks: Hooks, receiver: Receiver
) -> None:
    policy = hooks.events(PolicyStatus.PENDING_CREATION, PolicyStatus.ACTIVE)
    hooks.now += MINUTE
    hooks.collect()
    hooks.endpoint(receiver, Kind.ACTIVE, Kind.SETTLED, since=2)
    for status in LIFE[1:]:
        hooks.event(policy, status)
    hooks.send()
    assert [each.kind for each in receiver.got] == [Kind.ACTIVE, Kind.ACTIVE, Kind.SETTLED]


def test_what_is_committed_after_an_endpoint_was_made_is_its_own_though_its_time_is_earlier(
    hooks: Hooks, receiver: Receiver
) -> None:
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    own: dict[str, Any] = {"key_id": hooks.key(), "url": receiver.url, "kinds": [Kind.PENDING_CREATION, Kind.ACTIVE]}
    webhook_endpoints.create(hooks.database, **own, description="", now=hooks.now + MINUTE)
    # a worker looked at the clock, then waited, then committed
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.now += MINUTE
    hooks.send()
    assert statuses(receiver, policy) == [PolicyStatus.ACTIVE]


def test_an_endpoint_that_is_made_while_others_are_looked_for_misses_nothing(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing, policy = store.hearing, hooks.events(PolicyStatus.PENDING_CREATION)

    def late(session: Session, *, now: datetime) -> Sequence[WebhookEndpointRow]:
        found = hearing(session, now=now)
        if not found:
            hooks.endpoint(receiver, since=1)
            hooks.event(policy, PolicyStatus.ACTIVE)
            with unit_of_work(hooks.database) as other:
                give_places(other)
        return found

    monkeypatch.setattr(store, "hearing", late)
    hooks.collect()
    hooks.send()
    assert statuses(receiver, policy) == [PolicyStatus.ACTIVE]


def test_an_endpoint_that_another_sends_to_takes_nobodys_place(hooks: Hooks, receiver: Receiver) -> None:
    stuck, free = hooks.endpoint(receiver, Kind.ACTIVE), hooks.endpoint(receiver, Kind.SETTLED)
    hooks.events(PolicyStatus.ACTIVE, PolicyStatus.ACTIVE, PolicyStatus.SETTLED)
    hooks.collect()
    hooks.now += MINUTE
    with fault_points.watched_by(killed_at("call.before")), pytest.raises(Killed):
        webhooks.serve(hooks.database, hooks.sender, stuck)
    # its second message is due, and has been for longest
    assert list(webhooks.due_endpoints(hooks.database, now=hooks.now, limit=1)) == [free]
    hooks.now += hooks.sender.lease
    assert set(webhooks.due_endpoints(hooks.database, now=hooks.now, limit=2)) == {stuck, free}


def test_what_leads_to_nobody_is_not_kept(hooks: Hooks, receiver: Receiver) -> None:
    policy = hooks.events(*LIFE)
    assert hooks.collect() == 0
    endpoint = hooks.endpoint(receiver, Kind.EXPIRED)
    hooks.event(policy, PolicyStatus.SETTLED)
    assert (hooks.collect(), hooks.messages(), hooks.deliveries(endpoint)) == (1, [], [])


def test_many_who_collect_at_once_make_each_message_once(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    for _ in range(10):
        hooks.events(*LIFE)
    with ThreadPoolExecutor(max_workers=4) as threads:
        for _ in range(40):
            threads.submit(webhooks.collect, hooks.database, now=hooks.now, limit=5)
    hooks.collect()
    assert len(hooks.deliveries(endpoint)) == len(hooks.messages()) == 10 * len(LIFE)


# whoever is ended in between


@pytest.mark.parametrize("place", ["commit.before", "commit.after"])
def test_whoever_is_ended_while_he_collects_neither_loses_nor_doubles(
    hooks: Hooks, receiver: Receiver, place: str
) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(*LIFE)
    for nth in range(1, 4):
        times = 0

        def strike(name: str, nth: int = nth) -> None:
            nonlocal times
            times += name.endswith(place)
            if times == nth:
                raise Killed(name)

        with fault_points.watched_by(strike):
            try:
                hooks.collect()
            except Killed:
                continue
    hooks.collect()
    assert len(hooks.deliveries(endpoint)) == len(LIFE)


def test_a_message_whose_sender_dies_after_sending_is_sent_again_under_its_id(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.collect()
    with fault_points.watched_by(killed_at("call.after")), pytest.raises(Killed):
        hooks.deliver(after=MINUTE)
    assert hooks.deliver() == 0  # its sender's still
    assert hooks.deliver(after=hooks.sender.lease) == 1
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    assert hooks.states(endpoint) == [WebhookState.DELIVERED]


def test_a_message_whose_sender_dies_before_sending_is_sent_later(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.collect()
    with fault_points.watched_by(killed_at("commit.after")), pytest.raises(Killed):
        hooks.deliver(after=MINUTE)
    assert receiver.got == []
    assert hooks.deliver(after=hooks.sender.lease) == 1
    assert hooks.states(endpoint) == [WebhookState.DELIVERED]


def test_two_senders_at_once_send_each_message_once(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(*LIFE, *LIFE)
    hooks.collect()
    hooks.now += MINUTE
    with ThreadPoolExecutor(max_workers=4) as threads:
        for _ in range(8):
            threads.submit(webhooks.serve, hooks.database, hooks.sender, endpoint)
    hooks.deliver()
    assert statuses(receiver, policy) == [*LIFE, *LIFE]


def test_while_one_sends_to_an_endpoint_no_other_does(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(*LIFE)
    hooks.collect()
    others: list[int] = []

    def answer(_received: Received) -> tuple[int, dict[str, str]]:
        # this one is under way
        others.append(webhooks.serve(hooks.database, hooks.sender, endpoint))
        return 204, {}

    receiver.answer = answer
    hooks.deliver(after=MINUTE)
    assert others == [0] * len(LIFE)
    assert statuses(receiver, policy) == list(LIFE)


# receivers in trouble


def test_a_receiver_that_is_down_for_a_day_gets_everything_when_it_is_asked_for_again(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = hooks.endpoint(receiver)
    began = hooks.now
    policy = hooks.events(*LIFE)
    receiver.always(503)
    hooks.send()
    while WebhookState.WAITING in hooks.states(endpoint):
        assert hooks.now < began + DAY + timedelta(hours=2)
        hooks.deliver(after=10 * MINUTE)
    assert hooks.now > began + DAY
    assert hooks.states(endpoint) == [WebhookState.DEAD] * len(LIFE)
    first = hooks.deliveries(endpoint)[0]
    assert (first.last_status, first.last_error) == (503, "HTTP 503")
    tried = len(receiver.got)
    receiver.always(204)
    assert hooks.key_id is not None
    again = webhook_endpoints.resend(hooks.database, endpoint, first.id, key_id=hooks.key_id, now=hooks.now)
    assert again is not None
    assert hooks.deliver() == 1
    span: dict[str, Any] = {"first": began - MINUTE, "last": began + MINUTE, "key_id": hooks.key_id, "now": hooks.now}
    assert webhook_endpoints.resend_range(hooks.database, endpoint, **span) == {"resent": len(LIFE) - 1}
    hooks.deliver(after=MINUTE)
    assert statuses(receiver, policy)[tried:] == list(LIFE)
    assert set(receiver.ids[:tried]) <= set(receiver.ids[tried:])
    assert hooks.states(endpoint) == [WebhookState.DELIVERED] * len(LIFE)


def test_a_range_holds_what_lies_in_it_and_is_dead(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    early = hooks.now
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.now += MINUTE
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.collect()
    assert hooks.key_id is not None
    own: dict[str, Any] = {"key_id": hooks.key_id, "now": hooks.now}
    webhook_endpoints.change(hooks.database, endpoint, Change(enabled=False), **own)
    webhook_endpoints.change(hooks.database, endpoint, Change(enabled=True), **own)
    assert hooks.states(endpoint) == [WebhookState.DEAD] * 2
    span: dict[str, Any] = {"first": early, "last": early + MINUTE}
    between: dict[str, Any] = {**span, "first": early + timedelta(seconds=1)}
    assert webhook_endpoints.resend_range(hooks.database, endpoint, **between, **own) == {"resent": 0}
    assert webhook_endpoints.resend_range(hooks.database, endpoint, **span, **own) == {"resent": 1}
    assert webhook_endpoints.resend_range(hooks.database, endpoint, **span, **own) == {"resent": 0}
    hooks.deliver(after=MINUTE)
    assert [each.kind for each in receiver.got] == [Kind.PENDING_CREATION]


def test_a_receiver_says_when_it_wants_to_be_asked_again(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(*LIFE)
    receiver.always(429, retry_after="1800")
    hooks.send()
    asked = hooks.now
    assert len(receiver.got) == 1  # the others are not even tried
    (first, *others) = hooks.deliveries(endpoint)
    assert first.next_at == asked + 30 * MINUTE
    assert all(each.next_at is not None and asked < each.next_at <= asked + 5 * MINUTE for each in others)


def test_a_receiver_that_fails_again_and_again_is_left_alone(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(*LIFE)
    receiver.always(500)
    hooks.send()
    assert len(receiver.got) == TROUBLE
    assert hooks.deliver() == 0
    assert len(receiver.got) == TROUBLE
    receiver.always(200)
    hooks.deliver(after=timedelta(minutes=6))
    assert hooks.states(endpoint) == [WebhookState.DELIVERED] * len(LIFE)


def test_one_message_that_a_receiver_does_not_take_holds_up_no_other(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(*LIFE)
    receiver.answer = lambda received: (400 if received.kind == Kind.SETTLING else 204, {})
    hooks.send()
    assert statuses(receiver, policy) == list(LIFE)
    assert hooks.states(endpoint).count(WebhookState.WAITING) == LIFE.count(PolicyStatus.SETTLING)


def test_a_receiver_that_is_gone_is_told_no_more(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(*LIFE)
    receiver.always(410)
    hooks.send()
    assert len(receiver.got) == 1
    assert hooks.states(endpoint) == [WebhookState.DEAD] * len(LIFE)
    assert "410" in str(hooks.kept(endpoint).disabled_because)
    hooks.event(policy, PolicyStatus.SETTLED)
    hooks.send()
    assert len(receiver.got) == 1


def test_an_endpoint_whose_key_is_taken_back_is_told_no_more(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.collect()
    with unit_of_work(hooks.database) as session:
        session.get_one(ApiKeyRow, hooks.key_id).revoked_at = hooks.now
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.send()
    assert (receiver.got, hooks.states(endpoint)) == ([], [WebhookState.DEAD])


def test_what_waits_for_an_endpoint_that_is_disabled_is_dead(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.collect()
    assert hooks.key_id is not None
    own: dict[str, Any] = {"key_id": hooks.key_id, "now": hooks.now}
    webhook_endpoints.change(hooks.database, endpoint, Change(enabled=False), **own)
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.send()
    assert (receiver.got, hooks.states(endpoint)) == ([], [WebhookState.DEAD])
    webhook_endpoints.change(hooks.database, endpoint, Change(enabled=True), **own)
    hooks.event(policy, PolicyStatus.SETTLING)
    hooks.send()
    assert [each.kind for each in receiver.got] == [Kind.SETTLING]


def test_no_redirect_is_followed(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.PENDING_CREATION)
    receiver.always(307, location=f"{receiver.url}/elsewhere")
    hooks.send()
    (delivery,) = hooks.deliveries(endpoint)
    assert [each.path for each in receiver.got] == ["/hook"]
    assert (delivery.state, delivery.last_error) == (WebhookState.WAITING, "HTTP 307: redirects are not followed")


def test_an_answer_that_does_not_come_in_time_is_none(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.seconds = 0.3
    hooks.events(PolicyStatus.PENDING_CREATION)
    receiver.slowly(2)
    hooks.send()
    (delivery,) = hooks.deliveries(endpoint)
    assert (delivery.state, delivery.last_error) == (WebhookState.WAITING, "no answer within 0.3 s")


# secrets


def test_for_a_day_after_a_rotation_both_secrets_sign(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    old, new = hooks.secret(endpoint), hooks.secret(endpoint, version=2)
    policy = hooks.events(PolicyStatus.PENDING_CREATION)
    assert hooks.key_id is not None
    webhook_endpoints.rotate(hooks.database, endpoint, key_id=hooks.key_id, now=hooks.now)
    hooks.send()
    for secret in (old, new):
        receiver.got[0].verified(secret)
    hooks.now += DAY
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.send()
    # the library looks at its own clock, so only the signatures are compared
    assert receiver.got[0].headers["webhook-signature"].count("v1,") == 2
    assert receiver.got[1].headers["webhook-signature"].count("v1,") == 1


def test_no_secret_signature_address_or_body_is_logged(
    hooks: Hooks, receiver: Receiver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    endpoint = hooks.endpoint(f"{receiver.url}?token=hidden")
    hooks.events(*LIFE)
    receiver.answer = lambda received: (500 if received.kind == Kind.SETTLING else 204, {})
    hooks.send()
    logged = caplog.text + "".join(capsys.readouterr())
    assert "webhook.delivered" in logged
    assert "webhook.failed" in logged
    signatures = [each.headers["webhook-signature"].removeprefix("v1,") for each in receiver.got]
    for hidden in (hooks.secret(endpoint), "hidden", "/hook", "owner_principal", *signatures):
        assert hidden not in logged


# what is kept


def test_what_was_sent_long_ago_is_forgotten_and_what_waits_stays(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(*LIFE)
    receiver.answer = lambda received: (400 if received.kind == Kind.SETTLED else 204, {})
    hooks.send()
    hooks.now += timedelta(days=31)
    hooks.event(policy, PolicyStatus.ACTIVE)
    hooks.collect()
    before = hooks.now - timedelta(days=30)
    assert webhooks.forget(hooks.database, before=before, limit=3) == 3
    assert webhooks.forget(hooks.database, before=before, limit=100) == len(LIFE) - 4
    assert {each.kind for each in hooks.messages()} == {Kind.SETTLED, Kind.ACTIVE}
    assert len(hooks.deliveries(endpoint)) == 2
    hooks.deliver(after=MINUTE)
    # the last try of the one that waited failed, and the other is young
    assert webhooks.forget(hooks.database, before=before, limit=100) == 1
    assert [each.kind for each in hooks.messages()] == [Kind.ACTIVE]


def test_a_delivery_that_arrived_late_is_known_to_have_arrived(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.PENDING_CREATION)
    hooks.collect()

    def answer(_received: Received) -> tuple[int, dict[str, str]]:
        # while it is under way, its owner disables the endpoint
        assert hooks.key_id is not None
        own: dict[str, Any] = {"key_id": hooks.key_id, "now": hooks.now}
        webhook_endpoints.change(hooks.database, endpoint, Change(enabled=False), **own)
        return 204, {}

    receiver.answer = answer
    hooks.deliver(after=MINUTE)
    assert hooks.states(endpoint) == [WebhookState.DELIVERED]


def test_endpoints_of_one_key_are_counted_one_after_another(hooks: Hooks) -> None:
    made: dict[str, Any] = {"key_id": hooks.key(), "url": "https://example.com/", "kinds": [Kind.ACTIVE]}
    for _ in range(MOST_ENDPOINTS - 1):
        webhook_endpoints.create(hooks.database, **made, description="", now=hooks.now)

    def is_waiting() -> bool:
        with unit_of_work(hooks.database) as session:
            waiting = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return bool(session.execute(waiting).scalar_one())

    with ThreadPoolExecutor(max_workers=1) as threads:
        with unit_of_work(hooks.database) as session:
            # another is being made, and not committed yet
            session.get_one(ApiKeyRow, made["key_id"], with_for_update={"key_share": True})
            late = threads.submit(webhook_endpoints.create, hooks.database, **made, description="", now=hooks.now)
            until(is_waiting, seconds=SECONDS)
            session.add(rows.endpoint(made["key_id"]))
        with pytest.raises(TooManyEndpoints):
            late.result()
