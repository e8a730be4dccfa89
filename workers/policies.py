"""Tasks that take a policy from a request to its end."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from registry.domain.errors import NoBlockYet
from registry.domain.request import object_of
from registry.domain.steps import StepKind
from registry.services import activation, advance, chain_height, creation, expiration, sync
from workers import canvases
from workers.app import app
from workers.runtime import runtime
from workers.task import RegistryTask

MOST_AT_ONCE = 100


def _now() -> datetime:
    return datetime.now(UTC)


@app.task(name="policies.request_creation", bind=True, ignore_result=False)
def request_creation(self: RegistryTask, message: dict[str, Any]) -> Any:  # noqa: ANN401 - the canvas answers
    """Take a request and become the canvas that quotes, records and prepares it."""
    own = runtime()
    body = object_of("message", message, required={"owner_principal", "idempotency_key", "request"})
    asked = creation.ask(
        own.database,
        own.contracts,
        owner=body["owner_principal"],
        key=body["idempotency_key"],
        body=body["request"],
    )
    if asked.policy_id is not None:
        return self.replace(canvases.preparation(asked.policy_id))
    return self.replace(canvases.creation(asked.quote, asked.pairs))


@app.task(name="policies.record_attempt")
def record_attempt(*, quote: str) -> str:
    """Record the attempt and reserve its collateral; answer the policy's id."""
    own = runtime()
    height = chain_height.read(own.node, own.database)
    recorded = creation.record(own.database, own.contracts, UUID(quote), height=height, limits=own.limits, now=_now())
    return str(recorded)


@app.task(name="policies.prepare_creation")
def prepare_creation(policy_id: str) -> dict[str, Any]:
    """Sign the quote and make the payload that the holder's wallet signs."""
    own = runtime()
    return creation.prepare(own.database, own.contracts, own.quote_key, UUID(policy_id))


@app.task(name="policies.report_creation_tx", ignore_result=False)
def report_creation_tx(message: dict[str, Any]) -> dict[str, Any]:
    """Note a txid, or that the owner declined."""
    own = runtime()
    return creation.report(own.database, own.contracts, message, now=_now())


@app.task(name="policies.request_activation", bind=True, ignore_result=False)
def request_activation(self: RegistryTask, message: dict[str, Any]) -> Any:  # noqa: ANN401 - the canvas answers
    """Take an owner's request and become the canvas that decides it."""
    own = runtime()
    height = chain_height.read(own.node, own.database)
    wish = activation.request(own.database, own.contracts, message, height=height, now=_now())
    if not wish.pairs:
        return self.replace(canvases.decided(wish.policy_id))
    return self.replace(canvases.decision(wish.policy_id, wish.pairs))


@app.task(name="policies.begin_settlement")
def begin_settlement(price_ids: list[int], *, policy_id: str) -> dict[str, Any]:
    """Decide a policy by the prices just fetched; what is owed is pinned."""
    own = runtime()
    height = own.height()
    if height is None:
        raise NoBlockYet
    answer = activation.decide(own.database, UUID(policy_id), price_ids=price_ids, height=height, now=_now())
    canvases.advance(UUID(policy_id)).delay()
    return answer


@app.task(name="policies.begin_expiration", bind=True)
def begin_expiration(self: RegistryTask, *, policy_ids: list[str]) -> list[str]:
    """Move what ran out to Expiring; answer what is to be expired on chain in one batch."""
    own = runtime()
    height = own.height()
    ids = [UUID(policy_id) for policy_id in policy_ids]
    expiring = expiration.begin(own.database, ids, height=height, now=_now()) if height else []
    if not expiring:
        self.end_canvas()
    return [str(policy_id) for policy_id in expiring]


@app.task(name="policies.sync_status")
def sync_status(*, policy_id: str) -> list[str]:
    """Move a policy by what the chain confirmed; answer the edges it walked."""
    own = runtime()
    height = own.height()
    if height is None:
        return []
    return [str(edge) for edge in sync.sync(own.database, own.contracts, UUID(policy_id), height=height, now=_now())]


@app.task(name="policies.advance")
def advance_policies(*, policy_id: str | None = None) -> int:
    """Enqueue what `next_step` says for one policy, or for each that stands still; answer how many."""
    own = runtime()
    height, now = own.height(), _now()
    if height is None:
        return 0
    lease = timedelta(seconds=own.settings.lease_seconds)
    chosen = (
        advance.claim(own.database, height=height, lease=lease, limit=MOST_AT_ONCE, now=now)
        if policy_id is None
        else [UUID(policy_id)]
    )
    enqueued = 0
    for each in chosen:
        step = advance.step_of(own.database, each, height=height, lease=lease, now=now)
        if step is not None:
            pairs = activation.pairs_for(own.database, each) if step.kind is StepKind.DECIDE else ()
            canvases.of_step(each, step, pairs=pairs).delay()
            enqueued += 1
    return enqueued


@app.task(name="policies.sweep_expirations")
def sweep_expirations() -> int:
    """Find what ran out and enqueue its expiration in bounded batches; answer how many were found."""
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    american, european = expiration.sweep(own.database, height=height, limit=own.settings.expiration_batch, now=_now())
    if american:
        canvases.expiration(american).delay()
    for policy_id in european:
        canvases.advance(policy_id).delay()
    return len(american) + len(european)


@app.task(name="policies.expire_quotes")
def expire_quotes(*, policy_id: str | None = None) -> int:
    """Give up one outlived quote, or every one there is; answer how many were given up."""
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    outlived = (
        expiration.outlived_quotes(own.database, height=height, limit=MOST_AT_ONCE)
        if policy_id is None
        else [UUID(policy_id)]
    )
    return sum(expiration.give_up(own.database, each, height=height, now=_now()) for each in outlived)
