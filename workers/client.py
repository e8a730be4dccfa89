"""What another service imports: the registry's requests and queries as methods, over the broker and nothing else.

    with RegistryClient("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1") as registry:
        asked = registry.request_creation(owner, request)
        remember(asked.idempotency_key)
        wallet_payload = asked.answer()["wallet_payload"]

No driver, no setting and no task is loaded. A refusal is raised by `answer()` as the class that the task raised.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from celery import Celery
from celery.states import READY_STATES
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from registry_client.answers import (
    Accepted,
    Activation,
    Creation,
    Page,
    Policy,
    PolicyRequest,
    PoolState,
    Reported,
    Stats,
)
from workers.pending import Pending
from workers.queues import CHAIN, DEFAULT, QUEUES
from workers.refusals import BrokerUnreachable

ANSWER_SECONDS = 30.0
SOCKET_SECONDS = 5.0
MOST_CONNECTIONS = 8

_QUEUE_OF = {"policies.handle_on_chain_event": CHAIN}


class RegistryClient:
    """Asks the registry; every method answers at once with a `Pending`. Threads may share one client."""

    def __init__(
        self, broker_url: str, result_url: str | None = None, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """Connect to nothing yet; results are with the broker unless `result_url` says where."""
        self._seconds = answer_seconds
        self._app = _publisher(broker_url)
        self._results = _results(result_url or broker_url)
        self._connections = self._app.connection_for_write().Pool(limit=MOST_CONNECTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection; calls that are pending can be looked at no more."""
        self._connections.force_close_all()
        self._results.client.connection_pool.disconnect()
        self._app.close()
        self._results.app.close()

    def request_creation(
        self, owner: str, request: PolicyRequest, *, idempotency_key: str | None = None
    ) -> Pending[Creation]:
        """Ask for a quote. `owner` is the principal that the calling service authenticated."""
        message = {"owner_principal": owner, "idempotency_key": idempotency_key or str(uuid4()), "request": request}
        return self.send("policies.request_creation", message)

    def report_creation_tx(self, owner: str, policy_id: str | int, tx_id: str) -> Pending[Reported]:
        """Tell which transaction the owner's wallet sent."""
        message = {"owner_principal": owner, "policy_id": policy_id, "tx_id": tx_id}
        return self.send("policies.report_creation_tx", message)

    def decline_creation(self, owner: str, policy_id: str | int) -> Pending[Reported]:
        """Tell that the owner will not sign."""
        message = {"owner_principal": owner, "policy_id": policy_id, "declined": True}
        return self.send("policies.report_creation_tx", message)

    def request_activation(
        self,
        owner: str,
        policy_id: str | int,
        *,
        min_payout_base_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Activation]:
        """Ask for the payout, refused if it would be less than `min_payout_base_units`."""
        message = {
            "owner_principal": owner,
            "policy_id": policy_id,
            "idempotency_key": idempotency_key or str(uuid4()),
            **_given(min_payout_base_units=min_payout_base_units),
        }
        return self.send("policies.request_activation", message)

    def handle_on_chain_event(self, event: Mapping[str, object]) -> Pending[Accepted]:
        """Push one event in the node's form."""
        return self.send("policies.handle_on_chain_event", {"event": event})

    def get_by_id(self, policy_id: str | int) -> Pending[Policy | None]:
        """Ask for one policy by its on-chain id, an integer, or by the registry's UUID."""
        return self.send("policies.get_by_id", {"policy_id": policy_id})

    def list_by_owner(
        self, owner: str, *, status: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Pending[Page]:
        """Ask for a page of an owner's policies, oldest first."""
        message = {"owner_principal": owner, **_given(status=status, limit=limit, after=after)}
        return self.send("policies.list_by_owner", message)

    def list_expiring_between(
        self, min_height: int, max_height: int, *, limit: int | None = None, after: str | None = None
    ) -> Pending[Page]:
        """Ask for a page of the Active policies that run out between two heights, ends included, soonest first."""
        message = {"min_height": min_height, "max_height": max_height, **_given(limit=limit, after=after)}
        return self.send("policies.list_expiring_between", message)

    def list_active_by_tier(
        self, risk_tier: str, *, limit: int | None = None, after: str | None = None
    ) -> Pending[Page]:
        """Ask for a page of a tier's Active policies, oldest first."""
        return self.send("policies.list_active_by_tier", {"risk_tier": risk_tier, **_given(limit=limit, after=after)})

    def get_platform_stats(self) -> Pending[Stats]:
        """Ask for the counts and sums over all policies."""
        return self.send("policies.get_platform_stats", {})

    def get_pool_state(self) -> Pending[PoolState]:
        """Ask what the pool holds, what of it is locked, and what each tier can still sell."""
        return self.send("pool.get_state", {})

    def each_by_owner(self, owner: str, *, status: str | None = None, page_size: int | None = None) -> Iterator[Policy]:
        """Go through an owner's policies, page by page."""
        return _each(lambda after: self.list_by_owner(owner, status=status, limit=page_size, after=after))

    def each_expiring_between(
        self, min_height: int, max_height: int, *, page_size: int | None = None
    ) -> Iterator[Policy]:
        """Go through the Active policies that run out between two heights, page by page."""
        return _each(lambda after: self.list_expiring_between(min_height, max_height, limit=page_size, after=after))

    def each_active_by_tier(self, risk_tier: str, *, page_size: int | None = None) -> Iterator[Policy]:
        """Go through a tier's Active policies, page by page."""
        return _each(lambda after: self.list_active_by_tier(risk_tier, limit=page_size, after=after))

    def fetch_prices(self, pairs: Sequence[str], *, task_id: str) -> Pending[list[int]]:
        """Have a price of each pair agreed on and kept now; answers the rows' ids."""
        return self._publish("prices.fetch", task_id=task_id, kwargs={"pairs": list(pairs)}, ignore_result=False)

    def send(
        self, task: str, message: Mapping[str, Any], *, queue: str | None = None, task_id: str | None = None
    ) -> Pending[Any]:
        """Call a task by its name with its one JSON object, as the methods do; by way of its own queue or another.

        `task_id` is for whoever keeps it before the call is made.
        """
        return self._publish(
            task,
            task_id=task_id or str(uuid4()),
            key=message.get("idempotency_key"),
            args=[dict(message)],
            queue=queue or _QUEUE_OF.get(task, DEFAULT),
        )

    def outcomes(self, task_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Look once at many calls: `status` and `result` of each that is over, by its id.

        Raises:
            BrokerUnreachable: the results cannot be read.
        """
        if not task_ids:
            return {}
        results = self._results
        try:
            stored = results.mget([results.get_key_for_task(each) for each in task_ids])
        except results.connection_errors as error:
            raise BrokerUnreachable(task="a look at results", reason=str(error), idempotency_key=None) from error
        told = {each: results.decode(kept) for each, kept in zip(task_ids, stored, strict=True) if kept is not None}
        return {each: outcome for each, outcome in told.items() if outcome["status"] in READY_STATES}

    def _publish(
        self, task: str, *, task_id: str, key: str | None = None, queue: str = DEFAULT, **options: object
    ) -> Pending[Any]:
        end = time.monotonic() + self._seconds
        try:
            with self._connections.acquire(block=True, timeout=self._seconds) as connection:
                producer = self._app.amqp.Producer(connection, auto_declare=False)
                self._app.send_task(task, task_id=task_id, queue=queue, producer=producer, **options)
        except OperationalError as error:
            raise BrokerUnreachable(task=task, reason=str(error), idempotency_key=key) from error
        return Pending(
            task=task, task_id=task_id, idempotency_key=key, seconds=self._seconds, look=self._look, _end=end
        )

    def _look(self, pending: Pending[Any]) -> Mapping[str, Any] | None:
        """Read what is stored of a call: `status` and `result`; None while it is not over."""
        results = self._results
        try:
            stored = results.decode(results.get(results.get_key_for_task(pending.task_id)))
        except results.connection_errors as error:
            raise BrokerUnreachable(
                task=pending.task, reason=str(error), idempotency_key=pending.idempotency_key
            ) from error
        outcome: Mapping[str, Any] = stored or {"status": None}
        return outcome if outcome["status"] in READY_STATES else None


def _publisher(broker_url: str) -> Celery:
    """An application without results: with them it would subscribe to each before it is sent."""
    app = Celery("registry-client", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call] # kombu ships few types
        task_default_queue=DEFAULT,
        task_create_missing_queues=False,
        broker_transport_options={"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS},
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
    )
    return app


def _results(result_url: str) -> Any:  # noqa: ANN401 - Celery ships no types
    app = Celery("registry-client-results", backend=result_url, set_as_current=False)
    app.conf.update(
        result_serializer="json",
        accept_content=["json"],
        redis_socket_timeout=SOCKET_SECONDS,
        redis_socket_connect_timeout=SOCKET_SECONDS,
    )
    return app.backend


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _each(ask: Callable[[str | None], Pending[Page]]) -> Iterator[Policy]:
    after: str | None = None
    while True:
        page = ask(after).answer()
        yield from page["items"]
        after = page["next"]
        if after is None:
            return
