"""What a refusal must not leave behind: an owner's rows, counted before and after, and what a caller sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from registry.store.session import unit_of_work
from registry.store.tables import (
    ActivationRequestRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    RequestState,
    ReservationRow,
    SettlementRow,
    TransactionEntryRow,
)
from registry_client.answers import PolicyRequest
from tests.integration.stack import Stack

STRIKE = 45_000 * 10**8

REQUEST: PolicyRequest = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": STRIKE,
    "protected_amount_sats": 1_000_000,
    "duration_days": 30,
    "premium_token": "STX",
}


def rows_of(stack: Stack, owner: str) -> dict[str, int]:
    """Whatever could be half done: rows of one owner, and how many policies there are of anybody."""
    own = select(col(PolicyRow.id)).where(col(PolicyRow.owner_principal) == owner)
    kept: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "own policies": (PolicyRow, col(PolicyRow.owner_principal) == owner),
        "policies": (PolicyRow, col(PolicyRow.id).is_not(None)),
        "reservations": (ReservationRow, col(ReservationRow.owner_principal) == owner),
        "undecided": (
            ActivationRequestRow,
            col(ActivationRequestRow.policy_id).in_(own) & (col(ActivationRequestRow.state) != RequestState.REFUSED),
        ),
        "refused": (
            ActivationRequestRow,
            col(ActivationRequestRow.policy_id).in_(own) & (col(ActivationRequestRow.state) == RequestState.REFUSED),
        ),
        "recorded quotes": (
            QuoteRow,
            (col(QuoteRow.owner_principal) == owner) & col(QuoteRow.policy_id).is_not(None),
        ),
        "settlements": (SettlementRow, col(SettlementRow.policy_id).in_(own)),
        "events": (PolicyEventRow, col(PolicyEventRow.policy_id).in_(own)),
        "transactions": (TransactionEntryRow, col(TransactionEntryRow.policy_id).in_(own)),
    }
    with unit_of_work(stack.database) as session:
        return {
            name: session.execute(select(func.count()).select_from(table).where(which)).scalar_one()
            for name, (table, which) in kept.items()
        }


@contextmanager
def nothing_left(stack: Stack, owner: str, **kept: int) -> Iterator[None]:
    """Compare the rows before and after; `kept` is what a refusal that was decided leaves on purpose."""
    before = rows_of(stack, owner)
    yield
    after = rows_of(stack, owner)
    assert {name: after[name] - count for name, count in before.items() if after[name] != count} == kept


def event_of(contract: str, raw_value: str, *, txid: str = "0x" + "00" * 32) -> dict[str, object]:
    """One printed value, in the form in which a node pushes it."""
    printed = {"contract_identifier": contract, "topic": "print", "raw_value": raw_value}
    return {"txid": txid, "event_index": 0, "committed": True, "type": "contract_event", "contract_event": printed}
