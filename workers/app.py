"""The Celery application: `celery -A workers.app worker -Q chain`, `… beat`, `… flower`."""

import sys
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging

from registry.settings import Settings
from workers import logs
from workers.queues import QUEUES
from workers.rules import UnsafeConfiguration, broken_rules, misplaced_keys, require
from workers.task import Messages, RegistryTask

app = Celery("registry", task_cls=RegistryTask, amqp=Messages)
app.config_from_object("workers.configuration")


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:  # noqa: ANN401 - a signal's arguments are Celery's own
    chosen = Settings().log_json
    logs.set_up(as_json=not sys.stderr.isatty() if chosen is None else chosen)


def _refuse_for(reasons: list[str]) -> None:
    """End the process: Celery would log whatever else a signal's receiver raises, and go on."""
    try:
        require(reasons)
    except UnsafeConfiguration as error:
        raise SystemExit(str(error)) from None


@celeryd_init.connect
def _check_worker(conf: Any, options: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - as above
    chosen = options.get("queues") or QUEUES
    queues = chosen.split(",") if isinstance(chosen, str) else list(chosen)
    _refuse_for(broken_rules(conf) + misplaced_keys(Settings(), queues))


@beat_init.connect
def _start_at_once(sender: Any, **_: Any) -> None:  # noqa: ANN401 - as above
    """Enqueue every entry once at start: after a pause nothing waits for its first interval."""
    _refuse_for(broken_rules(app.conf) + misplaced_keys(Settings(), ()))
    scheduler = sender.scheduler
    for entry in scheduler.schedule.values():
        scheduler.apply_async(entry, producer=scheduler.producer, advance=False)
