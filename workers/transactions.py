"""Tasks about transactions of ours: sign and broadcast, look at one, look at all, and see to every nonce."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from registry.services import broadcast, confirmation, nonces
from registry.stacks.node import NodeUnavailable
from registry.store import transactions
from registry.store.session import unit_of_work
from workers import canvases
from workers.app import app
from workers.runtime import runtime
from workers.task import RegistryTask

_LOG = structlog.get_logger()

MOST_AT_ONCE = 100
PAUSE = timedelta(seconds=2)
MOST_FAILURES = 3
"""After so many useless answers in one poll the node is left alone."""


@app.task(name="transactions.sign_and_broadcast", bind=True)
def sign_and_broadcast(
    self: RegistryTask, policy_ids: list[str], leases: Mapping[str, int] | None = None
) -> str | None:
    """Sign, store, then send what these policies need; answer the transaction to look at.

    `leases` are tokens by policy; a policy that is not in it is signed for whoever holds it.
    """
    own = runtime()
    height = own.height()
    ids = [UUID(policy_id) for policy_id in policy_ids]
    held = {UUID(policy_id): token for policy_id, token in (leases or {}).items()}
    signed = None
    if height is not None:
        signed = broadcast.sign_for(
            own.database, own.node, own.contracts, own.signer, ids, height=height, now=own.now(), leases=held
        )
    if signed is None:
        self.end_canvas()
        return None
    broadcast.send(own.database, own.node, signed, now=own.now())
    return str(signed)


@app.task(name="transactions.monitor")
def monitor(transaction_id: str) -> int:
    """Look at one transaction, once; answer how many policies it decided something for."""
    return _look(UUID(transaction_id))


@app.task(name="transactions.poll")
def poll() -> int:
    """Look at every transaction whose time has come; answer how many policies were decided."""
    own = runtime()
    with unit_of_work(own.database) as session:
        due = transactions.due_for_a_look(session, now=own.now(), limit=MOST_AT_ONCE)
    decided = failures = 0
    for transaction_id in due:
        try:
            decided += _look(transaction_id)
        except NodeUnavailable as error:
            # the node may choke on one of them only
            failures += 1
            _LOG.warning("poll.not_seen", transaction_id=str(transaction_id), reason=str(error))
            if failures == MOST_FAILURES:
                raise
    return decided


@app.task(name="transactions.heal")
def heal() -> int:
    """Do what each nonce of our signer needs, the lowest first; answer how many policies were decided."""
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    this = nonces.Round(
        database=own.database,
        node=own.node,
        contracts=own.contracts,
        signer=own.signer,
        patience=own.patience,
        height=height,
        now=own.now(),
    )
    return _decided(nonces.heal(this))


def _look(transaction_id: UUID) -> int:
    own = runtime()
    height = own.height()
    if height is None:
        return 0
    with bound_contextvars(transaction_id=str(transaction_id)):
        return _decided(
            confirmation.look(own.database, own.node, transaction_id, height=height, pause=PAUSE, now=own.now())
        )


def _decided(policy_ids: Iterable[UUID]) -> int:
    """Move the policies that something was decided for; answer how many."""
    count = 0
    for policy_id in policy_ids:
        canvases.confirmation(policy_id).delay()
        count += 1
    return count
