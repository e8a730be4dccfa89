"""Refusals as a client meets them: what a task ended with, brought back as the class that was raised."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from registry.domain import (
    access,
    capacity,
    closes,
    errors,
    premium,
    prices,
    settlement,
    terms,
    tier,
    volatility,
    webhook,
)
from registry.domain.errors import Alarm, RegistryError, Unavailable
from registry.stacks import node


class AnswerTimeout(Unavailable):
    """No answer came in time; whether the task was done, or still will be, is not known."""

    code = "answer_timeout"
    sentence = "{task} gave no answer within {seconds} s"
    remedy = "ask again, a request with the same idempotency key ({idempotency_key}): nothing is done twice"


class BrokerUnreachable(Unavailable):
    """The broker, or where results are kept, cannot be reached; what was sent may have arrived or not."""

    code = "broker_unreachable"
    sentence = "{task} could not be asked: {reason}"
    remedy = "ask again, a request with the same idempotency key ({idempotency_key}): nothing is done twice"


class ServerAlarm(Alarm):
    """A task met what only its operators can mend; `about` holds the figures of the error it met."""

    code = "server_alarm"
    sentence = "{task} met {error}: {about}"
    remedy = "tell the registry's operators, with the task's id {task_id}"


class TaskCrashed(Alarm):
    """A task ended with an error that nobody foresaw."""

    code = "task_crashed"
    sentence = "{task} ended with {error}"
    remedy = "ask again once, then tell the registry's operators, with the task's id {task_id}"


_HOMES = (access, capacity, closes, errors, node, premium, prices, settlement, terms, tier, volatility, webhook)
_OURS = ("registry.", "workers.")


def _errors_of(home: ModuleType) -> dict[tuple[str, str], type[RegistryError]]:
    kinds = (each for each in vars(home).values() if isinstance(each, type) and issubclass(each, RegistryError))
    return {(kind.__module__, kind.__qualname__): kind for kind in kinds}


ANSWERS = {name: kind for home in _HOMES for name, kind in _errors_of(home).items()}
"""Every error that is an answer to a caller, by module and name. No other class is ever made of what is stored."""


def error_of(stored: Mapping[str, Any], *, task: str, task_id: str) -> RegistryError:
    """The error of a failed task out of Celery's JSON: `exc_module`, `exc_type` and `exc_message`, its arguments."""
    module, name = str(stored.get("exc_module")), str(stored.get("exc_type"))
    arguments = stored.get("exc_message")
    figures = _figures(arguments)
    if figures is not None and (kind := ANSWERS.get((module, name))) is not None:
        return kind(figures)
    if figures is not None and module.startswith(_OURS):
        return ServerAlarm(task=task, task_id=task_id, error=name, about=dict(figures))
    return TaskCrashed(task=task, task_id=task_id, error=f"{name}: {arguments}")


def _figures(arguments: object) -> Mapping[str, object] | None:
    match arguments:
        case [Mapping() as figures]:
            return figures
        case _:
            return None
