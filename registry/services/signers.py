"""Signers: what an operator sees of each key that we send with, and his orders to stop and to go on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from registry.domain.errors import BadRequest, Conflict
from registry.domain.request import text
from registry.domain.units import MicroStx, Principal
from registry.store import signers
from registry.store.session import Database, unit_of_work
from registry.store.tables import SignerRow

MOST = 100


class NoSuchSigner(BadRequest):
    """Only a key that has signed is known."""

    code = "no_such_signer"
    sentence = "nothing was ever signed by {signer}"
    remedy = "run `registry signers list` to see which there are"


class SignerPaused(Conflict):
    """It is paused already, and the first reason stays."""

    code = "signer_paused"
    sentence = "{signer} is paused already: {reason}"
    remedy = "run `registry signers resume` when that is mended"


class SignerNotPaused(Conflict):
    """Only a signer that is paused can go on."""

    code = "signer_not_paused"
    sentence = "{signer} is not paused"
    remedy = "nothing needs to be done"


def listed(
    database: Database, *, window: int, balance_of: Callable[[Principal], MicroStx | None]
) -> list[dict[str, Any]]:
    """List every key that we send with: its next nonce, how much of its window is used, its pause and its money."""
    with unit_of_work(database) as session:
        rows = signers.every(session, limit=MOST)
    return [
        {
            "signer": row.principal,
            "next_nonce": row.next_nonce,
            "under_way": under_way,
            "window": window,
            "paused_at": None if row.paused_at is None else row.paused_at.isoformat(),
            "pause_reason": row.pause_reason,
            "resumed_at": None if row.resumed_at is None else row.resumed_at.isoformat(),
            "resume_reason": row.resume_reason,
            "funds_needed_micro_stx": row.funds_needed,
            "balance_micro_stx": balance_of(Principal(row.principal)),
        }
        for row, under_way in rows
    ]


def pause(database: Database, signer: str, *, reason: str, actor: str, now: datetime) -> None:
    """Sign and send nothing more with a key until it is resumed; what was sent before may still be mined.

    Raises:
        NoSuchSigner: nothing was ever signed by it.
        SignerPaused: it is paused already.
    """
    why = f"{text('actor', actor)}: {text('reason', reason)}"
    with unit_of_work(database) as session:
        if not signers.pause(session, signer, reason=why, now=now):
            raise SignerPaused(
                signer=signer, reason=_known(signers.lock(session, Principal(signer)), signer).pause_reason
            )


def resume(database: Database, signer: str, *, reason: str, actor: str, now: datetime) -> str:
    """Go on with a key, whoever paused it; answer why it was paused.

    Raises:
        NoSuchSigner: nothing was ever signed by it.
        SignerNotPaused: it was not.
    """
    why = f"{text('actor', actor)}: {text('reason', reason)}"
    with unit_of_work(database) as session:
        paused_for = _known(signers.lock(session, Principal(signer)), signer).pause_reason
        if paused_for is None or not signers.resume(session, signer, reason=why, now=now):
            raise SignerNotPaused(signer=signer)
    return paused_for


def _known(row: SignerRow | None, signer: str) -> SignerRow:
    if row is None:
        raise NoSuchSigner(signer=signer)
    return row
