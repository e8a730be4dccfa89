"""What start-up refuses, and that what ships is not refused."""

from typing import Any

import pytest

import beat_schedule
from registry.settings import Settings
from workers.queues import CHAIN, DEFAULT, QUEUES, SIGNING, WEBHOOKS
from workers.rules import (
    UnsafeConfiguration,
    broken_rules,
    misplaced_keys,
    misplaced_secrets,
    require,
    slow_settings,
    worst_fetch_seconds,
)


@pytest.fixture
def conf() -> dict[str, Any]:
    from workers.app import app  # noqa: PLC0415 - it reads the settings that the environment fixture makes

    return dict(app.conf)


def test_the_configuration_that_ships_breaks_no_rule(conf: dict[str, Any]) -> None:
    assert broken_rules(conf) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task_time_limit": 301}, "half the visibility timeout"),
        ({"task_soft_time_limit": 90}, "soft time limit"),
        ({"task_acks_late": False}, "acks_late"),
        ({"task_reject_on_worker_lost": False}, "reject_on_worker_lost"),
        ({"accept_content": ["json", "pickle"]}, "JSON"),
        ({"result_accept_content": ["pickle"]}, "JSON"),
        ({"result_serializer": "pickle"}, "JSON"),
        ({"event_serializer": "pickle"}, "JSON"),
        ({"worker_prefetch_multiplier": 4}, "prefetch"),
        ({"task_store_errors_even_if_ignored": False}, "refusal"),
    ],
)
def test_start_up_says_which_rule_is_broken_and_why(conf: dict[str, Any], change: dict[str, Any], reason: str) -> None:
    (sentence,) = broken_rules({**conf, **change})
    assert reason in sentence
    with pytest.raises(UnsafeConfiguration, match="will not start"):
        require([sentence])


def test_only_the_process_that_signs_may_be_given_a_key(environment: pytest.MonkeyPatch, settings: Settings) -> None:
    assert misplaced_keys(settings, [CHAIN, DEFAULT]) == []
    assert len(misplaced_keys(settings, [SIGNING])) == 2
    environment.setenv("REGISTRY_QUOTE_KEY_FILE", "/nowhere/quote.key")
    environment.setenv("REGISTRY_BACKEND_KEY_FILE", "/nowhere/backend.key")
    assert misplaced_keys(Settings(), [SIGNING]) == []
    assert misplaced_keys(Settings(), QUEUES) == []
    for queues in ([CHAIN], [DEFAULT], []):
        assert len(misplaced_keys(Settings(), queues)) == 2


def test_a_worker_is_given_no_secret_of_the_front_door_and_one_alone_that_of_webhooks(
    environment: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert misplaced_secrets(settings, QUEUES) == []
    environment.setenv("REGISTRY_WEBHOOK_SECRET_FILE", "/nowhere/webhook.secret")
    assert misplaced_secrets(Settings(), [WEBHOOKS]) == []
    (sentence,) = misplaced_secrets(Settings(), [CHAIN])
    assert sentence.startswith("REGISTRY_WEBHOOK_SECRET_FILE is set and this process does not serve webhooks")
    environment.setenv("REGISTRY_FRONT_SECRET_FILE", "/nowhere/front.secret")
    (sentence,) = misplaced_secrets(Settings(), [WEBHOOKS])
    assert sentence.startswith("REGISTRY_FRONT_SECRET_FILE is set and this is a worker")


def test_venues_that_may_take_longer_than_a_task_are_told_at_start(environment: pytest.MonkeyPatch) -> None:
    assert slow_settings(Settings()) == []
    assert worst_fetch_seconds(Settings()) == 54
    environment.setenv("REGISTRY_VENUE_ANSWER_SECONDS", "7")
    (sentence,) = slow_settings(Settings())
    assert sentence.startswith("prices may take 63 s where every venue is slow, and a task has 60 s")


def test_secrets_are_not_shown_by_the_settings(settings: Settings) -> None:
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.model_dump())


def test_every_scheduled_task_exists_and_is_routed_to_a_queue_that_exists(conf: dict[str, Any]) -> None:
    from workers.app import app  # noqa: PLC0415 - as above

    app.loader.import_default_modules()
    for entry in beat_schedule.SCHEDULE:
        assert entry.task in app.tasks
        assert 0 < entry.expires <= 6 * entry.seconds  # so many may wait at once
    assert {route["queue"] for route in conf["task_routes"].values()} < set(QUEUES)
    assert set(conf["task_routes"]) < set(app.tasks)


def test_the_tasks_that_need_a_key_are_the_ones_on_the_signing_queue(conf: dict[str, Any]) -> None:
    signing = {name for name, route in conf["task_routes"].items() if route["queue"] == SIGNING}
    assert signing == {"policies.prepare_creation", "transactions.sign_and_broadcast", "transactions.heal"}


def test_every_ordered_task_has_its_name() -> None:
    from workers.app import app  # noqa: PLC0415 - as above

    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith(("celery.", "tests."))}
    assert ours == {
        "policies.request_creation",
        "policies.report_creation_tx",
        "policies.request_activation",
        "policies.handle_on_chain_event",
        "policies.list_by_owner",
        "policies.get_by_id",
        "policies.list_expiring_between",
        "policies.list_active_by_tier",
        "policies.get_platform_stats",
        "stats.fold",
        "front.forget",
        "webhooks.collect",
        "webhooks.notice",
        "webhooks.notice_payouts",
        "webhooks.deliver",
        "webhooks.forget",
        "pool.get_state",
        "prices.fetch",
        "premiums.quote",
        "pool.check_capacity",
        "policies.record_attempt",
        "policies.prepare_creation",
        "policies.begin_settlement",
        "policies.begin_expiration",
        "transactions.sign_and_broadcast",
        "transactions.monitor",
        "transactions.poll",
        "transactions.heal",
        "chain.follow",
        "chain.take_push",
        "policies.sync_status",
        "policies.advance",
        "policies.retry_failed",
        "policies.sweep_expirations",
        "policies.expire_quotes",
        "policies.reconcile",
    }
