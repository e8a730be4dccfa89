"""What an answer to a broadcast says of the transaction, where anything in doubt is no answer."""

import re

from registry.domain.units import TxId
from registry.stacks.answers import Answer
from registry.stacks.hashes import sha512_256
from registry.stacks.node import Accepted, BroadcastReason, NodeUnavailable, Rejected

_OK = 200
_BAD_REQUEST = 400

_TXID = re.compile(r"(?:0x)?([0-9a-f]{64})")


def verdict(answer: Answer, raw: bytes) -> Accepted | Rejected:
    """Read the node's answer to `raw`; raise NodeUnavailable where it may have been taken or not."""
    txid = TxId(sha512_256(raw).hex())
    if answer.status not in (_OK, _BAD_REQUEST):
        answer.refuse()
    return _acceptance(answer, txid) if answer.status == _OK else _rejection(answer, txid)


def _acceptance(answer: Answer, txid: TxId) -> Accepted:
    said = answer.json()
    if not _names(said, txid):
        raise NodeUnavailable(
            endpoint=answer.endpoint, reason=f"malformed: {answer.excerpt}, not {txid}", status=answer.status
        )
    return Accepted(txid=txid)


def _rejection(answer: Answer, txid: TxId) -> Rejected:
    """Read a 400: JSON with a reason, or plain text where the bytes could not be decoded."""
    if "failed to deserialize" in answer.excerpt.lower() and not answer.body.startswith(b"{"):
        return Rejected(reason=BroadcastReason.DESERIALIZATION, data={}, message=answer.excerpt)
    fields = answer.fields()
    reason = fields.text("reason")
    if fields.has("txid") and not _names(fields.values["txid"], txid):
        raise NodeUnavailable(
            endpoint=answer.endpoint, reason="malformed: it is about another transaction", status=answer.status
        )
    data = fields.inner("reason_data").values if fields.has("reason_data") else {}
    return Rejected(reason=BroadcastReason(reason), data=data, message=_message(reason, data))


def _message(reason: str, data: object) -> str:
    said = data.get("message") if isinstance(data, dict) else None
    return f"{reason}: {said}" if said else reason


def _names(said: object, txid: TxId) -> bool:
    match = _TXID.fullmatch(said) if isinstance(said, str) else None
    return match is not None and match[1] == txid
