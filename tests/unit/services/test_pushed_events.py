"""An event that somebody pushes is checked at the door, and believed in nothing."""

from typing import Any

import pytest

from registry.domain.errors import BadRequest
from registry.domain.units import Principal
from registry.services.pushed_events import check
from registry.stacks.clarity import StringAscii, Tuple, UInt, Value, parse_principal, to_hex
from registry.stacks.contracts import Contracts
from registry.stacks.wire import TESTNET

ADDRESS = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69"
CONTRACTS = Contracts(
    registry=Principal(f"{ADDRESS}.policy-registry"),
    pool=Principal(f"{ADDRESS}.liquidity-pool"),
    sbtc=Principal(f"{ADDRESS}.sbtc-token"),
    network=TESTNET,
)
TX_ID = "ab" * 32
RELEASED: dict[str, Value] = {
    "event": StringAscii("collateral-released"),
    "policy-id": UInt(1),
    "owner": parse_principal(ADDRESS),
    "token": StringAscii("STX"),
    "collateral": UInt(5),
}
MOVED: dict[str, Value] = {
    "event": StringAscii("policy-status-updated"),
    "policy-id": UInt(1),
    "owner": parse_principal(ADDRESS),
    "counterparty": parse_principal(CONTRACTS.pool),
    "previous-status": UInt(0),
    "new-status": UInt(1),
    "burn-height": UInt(7),
}


def pushed(
    fields: dict[str, Value], *, contract: str = CONTRACTS.pool, tx_id: str = f"0x{TX_ID}", **printed: Any
) -> dict[str, object]:
    event = {"contract_identifier": contract, "topic": "print", "raw_value": to_hex(Tuple(fields)), **printed}
    return {
        "event": {
            "txid": tx_id,
            "event_index": 0,
            "committed": True,
            "type": "contract_event",
            "contract_event": event,
        }
    }


def refused(message: object) -> str:
    with pytest.raises(BadRequest) as caught:
        check(CONTRACTS, message)
    return str(caught.value.figures["field"])


def test_an_event_of_ours_is_answered_with_its_txid() -> None:
    assert check(CONTRACTS, pushed(RELEASED)) == TX_ID
    assert check(CONTRACTS, pushed(MOVED, contract=CONTRACTS.registry)) == TX_ID


def test_an_event_of_another_contract_is_refused() -> None:
    assert refused(pushed(RELEASED, contract=f"{ADDRESS}.other")) == "contract_identifier"


def test_an_event_of_another_counterparty_is_refused() -> None:
    foreign = {**MOVED, "counterparty": parse_principal(f"{ADDRESS}.other")}
    assert refused(pushed(foreign, contract=CONTRACTS.registry)) == "raw_value"


@pytest.mark.parametrize("raw", ["", "0x", "0xzz", "0x0c", 7, None, "0x0100000000000000000000000000000007"])
def test_what_is_no_event_of_ours_is_the_callers_mistake(raw: object) -> None:
    assert refused(pushed(RELEASED, raw_value=raw)) == "raw_value"


def test_an_event_with_other_fields_is_the_callers_mistake() -> None:
    assert refused(pushed({**RELEASED, "more": UInt(1)})) == "raw_value"
    assert refused(pushed({**RELEASED, "collateral": StringAscii("5")})) == "raw_value"


@pytest.mark.parametrize("tx_id", ["", "0x12", "zz" * 32, "ab" * 33])
def test_a_txid_is_32_bytes(tx_id: str) -> None:
    assert refused(pushed(RELEASED, tx_id=tx_id)) == "txid"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_index", -1),
        ("event_index", "first"),
        ("committed", False),
        ("committed", "true"),
        ("type", "stx_transfer_event"),
    ],
)
def test_what_is_no_committed_print_is_refused_by_its_field(field: str, value: object) -> None:
    event = pushed(RELEASED)["event"]
    assert isinstance(event, dict)
    assert refused({"event": {**event, field: value}}) == field


def test_a_print_of_another_topic_is_refused() -> None:
    assert refused(pushed(RELEASED, topic="log")) == "topic"


def test_the_decoded_value_that_some_nodes_add_is_not_looked_at() -> None:
    assert check(CONTRACTS, pushed(RELEASED, value={"whatever": 1})) == TX_ID


@pytest.mark.parametrize(
    "message", [None, [], {}, {"event": {}}, {"event": {"txid": "0x"}}, {"event": None, "more": 1}]
)
def test_what_is_not_in_the_nodes_form_is_refused(message: object) -> None:
    assert refused(message)
