"""Events as our contracts print them, and everything that only looks like one."""

import pickle
from collections.abc import Mapping

import pytest

from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks.clarity import Buffer, Int, StringAscii, Tuple, UInt, Value, encode, parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.events import (
    BackendPrincipalSet,
    CollateralReleased,
    FundsDeposited,
    FundsWithdrawn,
    MalformedEvent,
    NoticeGiven,
    PolicyCreated,
    PolicyPurchased,
    PolicySettled,
    PolicyStatusUpdated,
    QuoteSignerSet,
    TreasurySet,
    UnknownEvent,
    decode_event,
)
from registry.stacks.wire import TESTNET

DEPLOYER = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69"
OWNER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
OTHER = Principal("ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB")
CONTRACTS = Contracts(
    registry=Principal(f"{DEPLOYER}.policy-registry"),
    pool=Principal(f"{DEPLOYER}.liquidity-pool"),
    sbtc=Principal(f"{DEPLOYER}.sbtc-token"),
    network=TESTNET,
)

CREATED: Mapping[str, Value] = {
    "event": StringAscii("policy-created"),
    "policy-id": UInt(1),
    "owner": parse_principal(OWNER),
    "counterparty": parse_principal(CONTRACTS.pool),
    "protected-value": UInt(5_000_000_000_000),
    "protected-amount": UInt(10_000_000),
    "expiration-height": UInt(900_000),
    "policy-type": StringAscii("PUT"),
    "status": UInt(0),
    "burn-height": UInt(899_000),
}
PURCHASED: Mapping[str, Value] = {
    "event": StringAscii("policy-purchased"),
    "quote-id": Buffer(bytes(range(16))),
    "policy-id": UInt(1),
    "buyer": parse_principal(OWNER),
    "token": StringAscii("sBTC"),
    "premium": UInt(10_100),
    "fee": UInt(100),
    "collateral": UInt(1_000_000),
}


def of_registry(printed: Mapping[str, Value]) -> object:
    return decode_event(CONTRACTS, CONTRACTS.registry, encode(Tuple(printed)))


def of_pool(printed: Mapping[str, Value]) -> object:
    return decode_event(CONTRACTS, CONTRACTS.pool, encode(Tuple(printed)))


def test_a_created_policy_is_read_field_by_field() -> None:
    assert of_registry(CREATED) == PolicyCreated(
        policy_id=1,
        owner=OWNER,
        counterparty=CONTRACTS.pool,
        protected_value=Usd8(5_000_000_000_000),
        protected_amount=Sats(10_000_000),
        expiration_height=BurnHeight(900_000),
        policy_type="PUT",
        status=OnChainStatus.ACTIVE,
        burn_height=BurnHeight(899_000),
    )


def test_a_moved_status_is_read_field_by_field() -> None:
    printed = {
        "event": StringAscii("policy-status-updated"),
        "policy-id": UInt(7),
        "owner": parse_principal(OWNER),
        "counterparty": parse_principal(CONTRACTS.pool),
        "previous-status": UInt(0),
        "new-status": UInt(2),
        "burn-height": UInt(900_001),
    }
    assert of_registry(printed) == PolicyStatusUpdated(
        policy_id=7,
        owner=OWNER,
        counterparty=CONTRACTS.pool,
        previous_status=OnChainStatus.ACTIVE,
        new_status=OnChainStatus.EXPIRED,
        burn_height=BurnHeight(900_001),
    )


def test_a_purchase_is_read_field_by_field() -> None:
    assert of_pool(PURCHASED) == PolicyPurchased(
        quote_id=bytes(range(16)),
        policy_id=1,
        buyer=OWNER,
        token=Token.SBTC,
        premium=BaseUnits(10_100),
        fee=BaseUnits(100),
        collateral=BaseUnits(1_000_000),
    )


def test_a_policys_end_is_read_field_by_field() -> None:
    ended = {"policy-id": UInt(3), "owner": parse_principal(OWNER), "token": StringAscii("STX")}
    settled = {"event": StringAscii("policy-settled"), "amount": UInt(5), "collateral": UInt(9)}
    assert of_pool(ended | settled) == PolicySettled(
        policy_id=3, owner=OWNER, token=Token.STX, amount=BaseUnits(5), collateral=BaseUnits(9)
    )
    released = {"event": StringAscii("collateral-released"), "collateral": UInt(9)}
    assert of_pool(ended | released) == CollateralReleased(
        policy_id=3, owner=OWNER, token=Token.STX, collateral=BaseUnits(9)
    )


def test_a_providers_moves_are_read_field_by_field() -> None:
    provider = {"provider": parse_principal(OTHER), "token": StringAscii("STX"), "shares": UInt(8)}
    amount = {"amount": UInt(4)}
    notice = {"event": StringAscii("notice-given"), "ready-height": UInt(900_100)}
    assert of_pool(provider | amount | {"event": StringAscii("funds-deposited")}) == FundsDeposited(
        provider=OTHER, token=Token.STX, amount=BaseUnits(4), shares=8
    )
    assert of_pool(provider | amount | {"event": StringAscii("funds-withdrawn")}) == FundsWithdrawn(
        provider=OTHER, token=Token.STX, amount=BaseUnits(4), shares=8
    )
    assert of_pool(provider | notice) == NoticeGiven(
        provider=OTHER, token=Token.STX, shares=8, ready_height=BurnHeight(900_100)
    )


def test_a_changed_principal_is_read_by_whose_place_it_takes() -> None:
    change = {"previous": parse_principal(OWNER), "current": parse_principal(OTHER)}
    signer = of_pool(change | {"event": StringAscii("quote-signer-set")})
    treasury = of_pool(change | {"event": StringAscii("treasury-set")})
    backend = of_registry(change | {"event": StringAscii("backend-principal-set")})
    assert signer == QuoteSignerSet(previous=OWNER, current=OTHER)
    assert treasury == TreasurySet(previous=OWNER, current=OTHER)
    assert backend == BackendPrincipalSet(previous=OWNER, current=OTHER)


def test_any_number_of_128_bits_is_kept() -> None:
    most = 2**128 - 1
    created = of_registry({**CREATED, "policy-id": UInt(most), "protected-value": UInt(most)})
    assert isinstance(created, PolicyCreated)
    assert (created.policy_id, created.protected_value) == (most, most)


@pytest.mark.parametrize(
    "printed",
    [Tuple({"event": StringAscii("policy-renamed")}), Tuple({"a": UInt(1)}), UInt(1), Tuple({"event": UInt(1)})],
)
def test_what_is_none_of_our_events_is_unknown(printed: Value) -> None:
    raw = encode(printed)
    for contract_id in (CONTRACTS.pool, CONTRACTS.registry):
        unknown = UnknownEvent(contract_id=contract_id, raw=raw)
        assert decode_event(CONTRACTS, contract_id, raw) == unknown


def test_a_name_counts_only_for_the_contract_that_prints_it() -> None:
    assert isinstance(of_pool(CREATED), UnknownEvent)
    assert isinstance(of_registry(PURCHASED), UnknownEvent)
    stranger = decode_event(CONTRACTS, Principal(f"{OTHER}.liquidity-pool"), encode(Tuple(PURCHASED)))
    assert isinstance(stranger, UnknownEvent)


@pytest.mark.parametrize("name", sorted(set(PURCHASED) - {"event"}))
def test_a_field_missing_or_of_another_type_is_malformed(name: str) -> None:
    with pytest.raises(MalformedEvent, match=f"has no {name}"):
        of_pool({key: value for key, value in PURCHASED.items() if key != name})
    with pytest.raises(MalformedEvent, match=name):
        of_pool({**PURCHASED, name: Int(1)})


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ({**PURCHASED, "token": StringAscii("BTC")}, "names no token"),
        ({**PURCHASED, "more": UInt(1)}, "its keys are"),
        ({**PURCHASED, "premium": Int(-1)}, "not a uint"),
    ],
)
def test_a_field_that_our_contract_cannot_print_is_malformed(printed: Mapping[str, Value], reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason):
        of_pool(printed)


def test_a_status_that_does_not_exist_is_malformed() -> None:
    with pytest.raises(MalformedEvent, match="u3 stands for no status"):
        of_registry({**CREATED, "status": UInt(3)})


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x01\x00", encode(Tuple(CREATED))[:-1], encode(UInt(1)) + b"\x00"])
def test_bytes_that_are_no_value_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvent, match="cannot decode") as caught:
        decode_event(CONTRACTS, CONTRACTS.pool, raw)
    assert pickle.loads(pickle.dumps(caught.value)).figures == caught.value.figures  # noqa: S301  # our own bytes
