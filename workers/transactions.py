"""Tasks about transactions of ours: sign and broadcast, look at one, look at all."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from structlog.contextvars import bound_contextvars

from registry.services import broadcast, confirmation
from registry.store import transactions
from registry.store.session import unit_of_work
from workers import canvases
from workers.app import app
from workers.runtime import runtime
from workers.task import RegistryTask

MOST_AT_ONCE = 100
PAUSE = timedelta(seconds=2)


@app.task(name="transactions.sign_and_broadcast", bind=True)
def sign_and_broadcast(self: RegistryTask, policy_ids: list[str]) -> str | None:
    """Sign, store, then send what these policies need; answer the transaction to look at."""
    own = runtime()
    height = own.height()
    ids = [UUID(policy_id) for policy_id in policy_ids]
    signed = (
        broadcast.sign_for(own.database, own.node, own.contracts, own.signer, ids, height=height) if height else None
    )
    if signed is None:
        self.end_canvas()
        return None
    broadcast.send(own.database, own.node, signed, now=datetime.now(UTC))
    return str(signed)


@app.task(name="transactions.monitor")
def monitor(transaction_id: str) -> int:
    """Look at one transaction, once; answer how many policies it decided something for."""
    return _look(UUID(transaction_id))


@app.task(name="transactions.poll")
def poll() -> int:
    """Look at every transaction whose time has come; answer how many policies were decided."""
    with unit_of_work(runtime().database) as session:
        due = transactions.due_for_a_look(session, now=datetime.now(UTC), limit=MOST_AT_ONCE)
    return sum(_look(transaction_id) for transaction_id in due)


def _look(transaction_id: UUID) -> int:
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    with bound_contextvars(transaction_id=str(transaction_id)):
        decided = confirmation.look(
            own.database, own.node, transaction_id, height=height, pause=PAUSE, now=datetime.now(UTC)
        )
    for policy_id in decided:
        canvases.confirmation(policy_id).delay()
    return len(decided)
