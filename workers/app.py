"""The Celery application: `celery -A workers.app worker -Q chain`, `… beat`, `… flower`."""

import sys
from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
)

from registry import fault_points
from registry.settings import Settings
from workers import logs
from workers.queues import QUEUES
from workers.rules import (
    UnsafeConfiguration,
    broken_rules,
    misplaced_fault,
    misplaced_keys,
    misplaced_secrets,
    require,
    slow_settings,
)
from workers.task import Messages, RegistryTask

_LOG = structlog.get_logger()

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


def _misplaced(conf: Any, settings: Settings, queues: list[str]) -> list[str]:  # noqa: ANN401 - as above
    return [
        *broken_rules(conf),
        *misplaced_keys(settings, queues),
        *misplaced_secrets(settings, queues),
        *misplaced_fault(settings),
    ]


@celeryd_init.connect
def _check_worker(conf: Any, options: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - as above
    chosen = options.get("queues") or QUEUES
    queues = chosen.split(",") if isinstance(chosen, str) else list(chosen)
    settings = Settings()
    _refuse_for(_misplaced(conf, settings, queues))
    for reason in slow_settings(settings):
        _LOG.warning("settings.slow", reason=reason)
    if settings.fault_point is not None and settings.fault_directory is not None:
        fault_points.end_at(settings.fault_point, directory=settings.fault_directory)


@task_prerun.connect
def _name_points(task: Any, **_: Any) -> None:  # noqa: ANN401 - as above
    """Name what Celery does around a task after it: it publishes the next link when the task's own block is left."""
    fault_points.begin(task.name)


@task_postrun.connect
def _name_no_points(**_: Any) -> None:  # noqa: ANN401 - as above
    fault_points.begin(fault_points.OUTSIDE)


@before_task_publish.connect
def _before_publishing(**_: Any) -> None:  # noqa: ANN401 - as above
    fault_points.reached("publish.before")


@after_task_publish.connect
def _after_publishing(**_: Any) -> None:  # noqa: ANN401 - as above
    fault_points.reached("publish.after")


@beat_init.connect
def _start_at_once(sender: Any, **_: Any) -> None:  # noqa: ANN401 - as above
    """Enqueue every entry once at start: after a pause nothing waits for its first interval."""
    settings = Settings()
    _refuse_for(broken_rules(app.conf) + misplaced_keys(settings, ()) + misplaced_fault(settings))
    scheduler = sender.scheduler
    for entry in scheduler.schedule.values():
        scheduler.apply_async(entry, producer=scheduler.producer, advance=False)
