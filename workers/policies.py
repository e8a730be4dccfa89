"""Tasks that take a policy from a request to its end."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from registry.domain.errors import NoBlockYet, Unavailable
from registry.domain.height import ChainHeight
from registry.domain.lease import Lease, LeaseLost
from registry.domain.request import object_of
from registry.domain.steps import StepKind
from registry.services import activation, advance, chain_height, creation, expiration, failures, sync
from workers import canvases
from workers.app import app
from workers.runtime import runtime
from workers.task import RegistryTask

_LOG = structlog.get_logger()

MOST_AT_ONCE = 100


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
    if asked.was_priced and creation.is_priced(own.database, asked.quote, now=own.now()):
        return self.replace(canvases.recording(asked.quote))
    return self.replace(canvases.creation(asked.quote, asked.pairs))


@app.task(name="policies.record_attempt", bind=True)
def record_attempt(self: RegistryTask, *, quote: str) -> str:
    """Record the attempt and reserve its collateral; answer the policy's id."""
    own = runtime()
    height = chain_height.read(own.node, own.database)
    recorded = creation.record(
        own.database,
        own.contracts,
        UUID(quote),
        height=height,
        limits=own.limits,
        lease=own.lease(self.request.id),
        now=own.now(),
    )
    return str(recorded)


@app.task(name="policies.prepare_creation")
def prepare_creation(policy_id: str, *, lease: int | None = None) -> dict[str, Any]:
    """Sign the quote and make the payload that the holder's wallet signs."""
    own = runtime()
    return creation.prepare(own.database, own.contracts, own.quote_key, UUID(policy_id), lease=lease)


@app.task(name="policies.report_creation_tx", ignore_result=False)
def report_creation_tx(message: dict[str, Any]) -> dict[str, Any]:
    """Note a txid, or that the owner declined."""
    own = runtime()
    return creation.report(own.database, own.contracts, message, now=own.now())


@app.task(name="policies.request_activation", bind=True, ignore_result=False)
def request_activation(self: RegistryTask, message: dict[str, Any]) -> Any:  # noqa: ANN401 - the canvas answers
    """Take an owner's request and become the canvas that decides it."""
    own = runtime()
    height = chain_height.read(own.node, own.database)
    wish = activation.request(
        own.database, own.contracts, message, height=height, lease=own.lease(self.request.id), now=own.now()
    )
    if not wish.pairs:
        return self.replace(canvases.decided(wish.policy_id))
    return self.replace(canvases.decision(wish.policy_id, wish.pairs))


@app.task(name="policies.begin_settlement")
def begin_settlement(price_ids: list[int], *, policy_id: str, lease: int | None = None) -> dict[str, Any]:
    """Decide a policy by the prices just fetched; what is owed is pinned."""
    own = runtime()
    height = own.height()
    if height is None:
        raise NoBlockYet
    answer = activation.decide(
        own.database, UUID(policy_id), price_ids=price_ids, height=height, now=own.now(), lease=lease
    )
    canvases.advance(UUID(policy_id)).delay()
    return answer


@app.task(name="policies.begin_expiration", bind=True)
def begin_expiration(
    self: RegistryTask, *, policy_ids: list[str], leases: Mapping[str, int] | None = None
) -> list[str]:
    """Move what ran out to Expiring; answer what is to be expired on chain in one batch."""
    own = runtime()
    height = own.height()
    ids = [UUID(policy_id) for policy_id in policy_ids]
    held = {UUID(policy_id): token for policy_id, token in (leases or {}).items()}
    expiring = expiration.begin(own.database, ids, height=height, now=own.now(), leases=held) if height else []
    if not expiring:
        self.end_canvas()
    return [str(policy_id) for policy_id in expiring]


@app.task(name="policies.sync_status")
def sync_status(*, policy_id: str, lease: int | None = None) -> list[str]:
    """Move a policy by what the chain confirmed; answer the edges it walked."""
    own = runtime()
    height = own.height()
    if height is None:
        return []
    walked = sync.sync(own.database, own.contracts, UUID(policy_id), height=height, now=own.now(), lease=lease)
    return [str(edge) for edge in walked]


@app.task(name="policies.retry_failed")
def retry_failed(*, policy_id: str, lease: int | None = None) -> bool:
    """Set a failed policy on its way again, if its time has come; answer whether it was."""
    own = runtime()
    resumed = failures.retry_by_itself(own.database, UUID(policy_id), now=own.now(), lease=lease)
    if resumed:
        canvases.advance(UUID(policy_id)).delay()
    return resumed


@app.task(name="policies.advance", bind=True)
def advance_policies(self: RegistryTask, *, policy_id: str | None = None) -> int:
    """Enqueue what `next_step` says for one policy, or for each that stands still; answer how many."""
    own = runtime()
    height, now = own.height(), own.now()
    if height is None:
        return 0
    lease = own.lease(self.request.id)
    if policy_id is not None:
        return _enqueue_step(UUID(policy_id), height=height, lease=lease, now=now)
    claimed = advance.claim(own.database, height=height, lease=lease, limit=MOST_AT_ONCE, now=now)
    tokens = {held.policy_id: held.token for held in claimed}
    return for_each(tokens, lambda each: _enqueue_step(each, height=height, lease=lease, now=now, token=tokens[each]))


def for_each(policy_ids: Iterable[UUID], do: Callable[[UUID], int]) -> int:
    """Do something for each policy and add up; one that nobody foresaw does not hold up those behind it."""
    done = 0
    for policy_id in policy_ids:
        try:
            done += do(policy_id)
        except LeaseLost as lost:
            _LOG.info("lease.lost", **lost.figures)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with one, the others are owed their turn
            _LOG.exception("policy.passed_by", policy_id=str(policy_id))
    return done


def _enqueue_step(
    policy_id: UUID, *, height: ChainHeight, lease: Lease, now: datetime, token: int | None = None
) -> int:
    database = runtime().database
    drive = advance.step_of(database, policy_id, height=height, lease=lease, now=now, token=token)
    if drive is None:
        return 0
    pairs = activation.pairs_for(database, policy_id) if drive.step.kind is StepKind.DECIDE else ()
    canvases.of_step(policy_id, drive, pairs=pairs).delay()
    return 1


@app.task(name="policies.sweep_expirations", bind=True)
def sweep_expirations(self: RegistryTask) -> int:
    """Find what ran out and enqueue its expiration in bounded batches; answer how many were found."""
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    american, european = expiration.sweep(
        own.database,
        height=height,
        limit=own.settings.expiration_batch,
        lease=own.lease(self.request.id),
        now=own.now(),
    )
    if american:
        canvases.expiration(american).delay()
    for held in european:
        canvases.advance(held.policy_id).delay()
    return len(american) + len(european)


@app.task(name="policies.expire_quotes")
def expire_quotes(*, policy_id: str | None = None, lease: int | None = None) -> int:
    """Give up one outlived quote, or every one there is; answer how many were given up."""
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    now = own.now()
    if policy_id is not None:
        return int(expiration.give_up(own.database, UUID(policy_id), height=height, now=now, lease=lease))
    outlived = expiration.outlived_quotes(own.database, height=height, limit=MOST_AT_ONCE)
    return for_each(outlived, lambda each: int(expiration.give_up(own.database, each, height=height, now=now)))
