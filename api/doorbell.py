"""The doorbell: tells the workers of a push that was kept. A broker that is away costs time and nothing else."""

from types import TracebackType
from typing import Self

import structlog
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from workers.queues import CHAIN

SOCKET_SECONDS = 3.0
EXPIRES_SECONDS = 60
"""A message that old is worth nothing: `chain.follow` has taken the push by then."""
_LOG = structlog.get_logger()


class Doorbell:
    """Publishes `chain.take_push`; threads may share one."""

    def __init__(self, broker_url: str) -> None:
        """Connect to nothing yet."""
        self._app = Celery("registry-doorbell", broker=broker_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            task_queues=[Queue(CHAIN)],  # type: ignore[no-untyped-call] # kombu ships few types
            task_default_queue=CHAIN,
            task_create_missing_queues=False,
            broker_transport_options={"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS},
            task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._app.close()

    def ring(self, push_id: int) -> None:
        """Have a push taken now; where that cannot be, it waits for the next `chain.follow`."""
        try:
            self._app.send_task("chain.take_push", args=[push_id], expires=EXPIRES_SECONDS)
        except (OSError, OperationalError) as error:
            _LOG.warning("push.not_announced", push_id=push_id, reason=type(error).__name__)
