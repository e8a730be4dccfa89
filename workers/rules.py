"""What start-up refuses: each rule says which setting breaks it, and why that would lose or repeat work."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from registry.domain.errors import Refusal
from registry.domain.prices import Pair
from registry.market.catalogue import ANSWERS_A_HISTORY, ANSWERS_A_PRICE
from registry.settings import Settings
from workers.queues import SIGNING, WEBHOOKS


class UnsafeConfiguration(Refusal):
    """A process would run, and break a promise."""

    code = "unsafe_configuration"
    sentence = "this process will not start: {reasons}"
    remedy = "correct the settings named"

    def __init__(self, figures: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Take `reasons`, a list of sentences."""
        super().__init__(figures, **more)


_JSON = ["json"]

_RULES: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    (
        lambda conf: 2 * conf["task_time_limit"] <= conf["broker_transport_options"]["visibility_timeout"],
        "the time limit is over half the visibility timeout: Redis would deliver a task that is still running",
    ),
    (
        lambda conf: conf["task_soft_time_limit"] < conf["task_time_limit"],
        "the soft time limit is not under the hard one: a task could not end by itself",
    ),
    (
        lambda conf: conf["task_acks_late"] and conf["task_reject_on_worker_lost"],
        "acks_late and reject_on_worker_lost are not both on: a killed worker would lose its task",
    ),
    (
        lambda conf: (
            list(conf["accept_content"]) == _JSON
            and list(conf["result_accept_content"] or _JSON) == _JSON
            and conf["task_serializer"] == conf["result_serializer"] == conf["event_serializer"] == "json"
        ),
        "something other than JSON is accepted or sent: whoever reaches the broker could run code",
    ),
    (
        lambda conf: conf["worker_prefetch_multiplier"] == 1,
        "the prefetch multiplier is not 1: messages would wait unseen in a busy process",
    ),
    (
        lambda conf: conf["task_store_errors_even_if_ignored"],
        "errors of ignored results are not stored: a caller would never hear a refusal",
    ),
)


def broken_rules(conf: Mapping[str, Any]) -> list[str]:
    """The sentences of every rule that a Celery configuration breaks."""
    return [sentence for holds, sentence in _RULES if not holds(conf)]


def misplaced_keys(settings: Settings, queues: Collection[str]) -> list[str]:
    """Keys that a process was given and does not serve, or serves and was not given."""
    keys = {"REGISTRY_BACKEND_KEY_FILE": settings.backend_key_file, "REGISTRY_QUOTE_KEY_FILE": settings.quote_key_file}
    if SIGNING in queues:
        return [f"{name} is not set and the queue {SIGNING} needs it" for name, path in keys.items() if path is None]
    return [
        f"{name} is set and this process does not serve {SIGNING}: it must not be able to read a key"
        for name, path in keys.items()
        if path is not None
    ]


def misplaced_secrets(settings: Settings, queues: Collection[str]) -> list[str]:
    """Secrets of the front door that a worker was given and has no use for."""
    reasons = []
    if settings.front_secret_file is not None:
        reasons.append("REGISTRY_FRONT_SECRET_FILE is set and this is a worker: it must not be able to sign sessions")
    if settings.webhook_secret_file is not None and WEBHOOKS not in queues:
        reasons.append(f"REGISTRY_WEBHOOK_SECRET_FILE is set and this process does not serve {WEBHOOKS}")
    return reasons


def misplaced_fault(settings: Settings) -> list[str]:
    """Why this process must not be given the fault that it was given."""
    if settings.fault_point is None:
        return []
    reasons = []
    if settings.network != "testnet":
        reasons.append("REGISTRY_FAULT_POINT is set and the network is not testnet: the process would end itself")
    if settings.fault_directory is None or not settings.fault_directory.is_dir():
        reasons.append(
            "REGISTRY_FAULT_POINT is set and REGISTRY_FAULT_DIRECTORY is no directory: it would end itself for ever"
        )
    return reasons


def slow_settings(settings: Settings) -> list[str]:
    """What still works, and may end at a limit when others are slow."""
    most = worst_fetch_seconds(settings)
    if most < settings.soft_time_limit_seconds:
        return []
    limit = settings.soft_time_limit_seconds
    reason = f"prices may take {most:.0f} s where every venue is slow, and a task has {limit} s"
    return [f"{reason}: lower REGISTRY_VENUE_ANSWER_SECONDS"]


def worst_fetch_seconds(settings: Settings) -> float:
    """What fetching two prices and the closes takes where every venue answers as late as it may."""
    whole = settings.venue_answer_seconds
    return len((Pair.BTC_USD, Pair.STX_USD)) * ANSWERS_A_PRICE * whole + ANSWERS_A_HISTORY * whole


def require(reasons: Collection[str]) -> None:
    """Refuse to start for these reasons; none of them, and nothing happens."""
    if reasons:
        raise UnsafeConfiguration(reasons="; ".join(reasons))
