"""What start-up refuses: each rule says which setting breaks it, and why that would lose or repeat work."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from registry.domain.errors import Refusal
from registry.settings import Settings
from workers.queues import SIGNING


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


def require(reasons: Collection[str]) -> None:
    """Refuse to start for these reasons; none of them, and nothing happens."""
    if reasons:
        raise UnsafeConfiguration(reasons="; ".join(reasons))
