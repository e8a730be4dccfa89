"""Pushed events: checked at the door. What they say is taken from the chain, not from whoever pushed them."""

from collections.abc import Mapping

from registry.domain.errors import BadRequest
from registry.domain.request import integer, object_of, text
from registry.domain.units import Principal, TxId
from registry.stacks.contracts import Contracts
from registry.stacks.events import MalformedEvent, PolicyCreated, PolicyStatusUpdated, UnknownEvent, decode_event

_HASH_BYTES = 32


def check(contracts: Contracts, message: object) -> TxId:
    """Read one event in the node's form and answer its txid; what is not an event of ours is refused.

    It is a hint and no more: an event that no block holds passes, and comes to nothing.
    """
    body = object_of("message", message, required={"event"})
    event = object_of(
        "event",
        body["event"],
        required={"txid", "event_index", "committed", "type", "contract_event"},
    )
    printed = object_of(
        "contract_event",
        event["contract_event"],
        required={"contract_identifier", "topic", "raw_value"},
        optional={"value"},  # what some nodes add: the same, decoded
    )
    _check_kind(event, printed)
    _check_ours(contracts, printed)
    tx_id = _bytes("txid", event["txid"])
    if len(tx_id) != _HASH_BYTES:
        raise BadRequest(field="txid", reason="it does not have 32 bytes")
    return TxId(tx_id.hex())


def _check_kind(event: Mapping[str, object], printed: Mapping[str, object]) -> None:
    integer("event_index", event["event_index"], lowest=0)
    if event["committed"] is not True:
        raise BadRequest(field="committed", reason="it is not true: what is not committed never happened")
    if event["type"] != "contract_event":
        raise BadRequest(field="type", reason="it is not contract_event")
    if printed["topic"] != "print":
        raise BadRequest(field="topic", reason="it is not print")


def _check_ours(contracts: Contracts, printed: Mapping[str, object]) -> None:
    contract = Principal(text("contract_identifier", printed["contract_identifier"]))
    if contract not in {contracts.registry, contracts.pool}:
        raise BadRequest(field="contract_identifier", reason=f"{contract} is not a contract of ours")
    raw = _bytes("raw_value", printed["raw_value"])
    try:
        decoded = decode_event(contracts, contract, raw)
    except MalformedEvent as error:
        raise BadRequest(field="raw_value", reason=str(error.figures["reason"])) from None
    if isinstance(decoded, UnknownEvent):
        raise BadRequest(field="raw_value", reason="it is not an event of ours")
    if isinstance(decoded, PolicyCreated | PolicyStatusUpdated) and decoded.counterparty != contracts.pool:
        raise BadRequest(field="raw_value", reason=f"it concerns the counterparty {decoded.counterparty}, not our pool")


def _bytes(name: str, value: object) -> bytes:
    longest_value = 2 * 1024 * 1024 + 2
    digits = text(name, value, longest=longest_value).removeprefix("0x")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadRequest(field=name, reason="it is not hex") from None
