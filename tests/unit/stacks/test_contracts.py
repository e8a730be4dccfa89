"""Calls of our contracts byte by byte, and what they returned."""

from dataclasses import replace
from typing import cast

import pytest

from registry.domain.errors import BadRequest
from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, Principal, Token
from registry.stacks import outcomes
from registry.stacks.clarity import (
    FALSE,
    NONE,
    TRUE,
    Err,
    Int,
    List,
    Ok,
    StringAscii,
    Tuple,
    UInt,
    Value,
    encode,
)
from registry.stacks.contract_errors import ContractError, meaning_of
from registry.stacks.contracts import (
    Contracts,
    expire_policies,
    release_collateral,
    settle_policy,
    update_policy_status,
)
from registry.stacks.outcomes import Payout, Refused
from registry.stacks.principals import ContractPrincipal
from registry.stacks.shapes import UnexpectedValue
from registry.stacks.signing import PrivateKey, sign, verify
from registry.stacks.wire import (
    MAINNET,
    TESTNET,
    Condition,
    FungiblePostCondition,
    PostConditionMode,
    StxPostCondition,
    Transaction,
)

DEPLOYER = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69"
CONTRACTS = Contracts(
    registry=Principal(f"{DEPLOYER}.policy-registry"),
    pool=Principal(f"{DEPLOYER}.liquidity-pool"),
    sbtc=Principal(f"{DEPLOYER}.sbtc-token"),
    network=TESTNET,
)
POOL = ContractPrincipal.parse(CONTRACTS.pool)


# --- calls ---


def test_a_settlement_sends_exactly_the_pinned_amount_in_stx() -> None:
    call = settle_policy(CONTRACTS, 7, amount=BaseUnits(1_234), token=Token.STX)
    assert (str(call.payload.contract), call.payload.function) == (CONTRACTS.pool, "settle-policy")
    assert call.payload.arguments == (UInt(7), UInt(1_234))
    assert call.post_conditions == (StxPostCondition(holder=POOL, condition=Condition.EQUAL, amount=1_234),)


def test_a_settlement_sends_exactly_the_pinned_amount_in_sbtc() -> None:
    call = settle_policy(CONTRACTS, 7, amount=BaseUnits(1_234), token=Token.SBTC)
    (condition,) = call.post_conditions
    assert isinstance(condition, FungiblePostCondition)
    assert (condition.holder, condition.condition, condition.amount) == (POOL, Condition.EQUAL, 1_234)
    assert str(condition.asset) == f"{CONTRACTS.sbtc}::sbtc-token"


def test_calls_that_move_nothing_allow_nothing_to_move() -> None:
    expire = expire_policies(CONTRACTS, [3, 1, 2])
    release = release_collateral(CONTRACTS, 3)
    update = update_policy_status(CONTRACTS, 3, OnChainStatus.EXPIRED)
    assert [each.post_conditions for each in (expire, release, update)] == [(), (), ()]
    assert expire.payload.arguments == (List([UInt(3), UInt(1), UInt(2)]),)
    assert (release.payload.function, release.payload.arguments) == ("release-collateral", (UInt(3),))
    assert str(update.payload.contract) == CONTRACTS.registry
    assert update.payload.arguments == (UInt(3), UInt(2))


def test_a_batch_has_one_to_two_hundred_entries() -> None:
    assert len(cast("List", expire_policies(CONTRACTS, range(200)).payload.arguments[0])) == 200
    for ids in (range(0), range(201)):
        with pytest.raises(BadRequest, match="policy_ids"):
            expire_policies(CONTRACTS, ids)


def test_a_call_becomes_a_transaction_in_deny_mode() -> None:
    key = PrivateKey.from_hex("11" * 32 + "01")
    call = settle_policy(CONTRACTS, 7, amount=BaseUnits(5), token=Token.SBTC)
    unsigned = call.transaction(key.spend(nonce=4, fee=900), network=TESTNET)
    signed = sign(unsigned, key)
    assert signed.post_condition_mode is PostConditionMode.DENY
    assert verify(Transaction.decode(signed.encode())) == key.address(TESTNET)
    assert Transaction.decode(signed.encode()).payload == call.payload


def test_the_network_is_named_as_wallets_and_quotes_name_it() -> None:
    assert (CONTRACTS.network_name, CONTRACTS.chain_id) == ("testnet", 2**31)
    address = replace(POOL.deployer, version=22)
    there = replace(
        CONTRACTS,
        registry=Principal(f"{address}.policy-registry"),
        pool=Principal(f"{address}.liquidity-pool"),
        sbtc=Principal("SM3VDXK3WZZSA84XXFKAFAF15NNZX32CTSG82JFQ4.sbtc-token"),
        network=MAINNET,
    )
    assert (there.network_name, there.chain_id) == ("mainnet", 1)


# --- what calls returned ---

PAID: Value = Tuple({"token": StringAscii("STX"), "collateral": UInt(90), "payout": UInt(40)})
FREED: Value = Tuple({"token": StringAscii("sBTC"), "collateral": UInt(70), "payout": UInt(0)})


def test_a_settlement_returns_its_payout_or_its_refusal() -> None:
    paid = outcomes.settlement(encode(Ok(PAID)))
    assert paid == Payout(token=Token.STX, collateral=BaseUnits(90), payout=BaseUnits(40))
    assert outcomes.settlement(encode(Err(UInt(207)))) == Refused(code=ContractError.ALREADY_SETTLED)


def test_a_runtime_error_is_a_refusal_without_a_number() -> None:
    refused = outcomes.settlement(encode(Err(NONE)))
    assert refused == Refused(code=None)
    assert "runtime error" in refused.meaning


def test_each_entry_of_a_batch_has_its_own_outcome() -> None:
    raw = encode(Ok(List([Ok(FREED), Err(UInt(104)), Err(UInt(103))])))
    assert outcomes.expirations(raw, count=3) == (
        Payout(token=Token.SBTC, collateral=BaseUnits(70), payout=BaseUnits(0)),
        Refused(code=104),
        Refused(code=103),
    )


def test_a_batch_refused_as_a_whole_refuses_each_entry() -> None:
    assert outcomes.expirations(encode(Err(UInt(200))), count=3) == (Refused(code=200),) * 3


@pytest.mark.parametrize(
    "value",
    [
        Ok(List([Ok(FREED)])),
        Ok(List([Ok(FREED), Ok(TRUE)])),
        Ok(List([Ok(FREED), Ok(Tuple({"token": StringAscii("STX")}))])),
        Ok(List([Ok(FREED), TRUE])),
        Ok(FREED),
        List([Ok(FREED), Ok(FREED)]),
        Err(Int(200)),
    ],
)
def test_a_batch_of_another_shape_is_an_alarm(value: Value) -> None:
    with pytest.raises(UnexpectedValue):
        outcomes.expirations(encode(value), count=2)


def test_bytes_that_are_no_value_are_an_alarm() -> None:
    with pytest.raises(UnexpectedValue, match="cannot decode"):
        outcomes.settlement(b"\x07")


def test_a_status_update_returns_true_or_its_refusal() -> None:
    assert outcomes.acknowledgement(encode(Ok(TRUE))) is None
    assert outcomes.acknowledgement(encode(Err(UInt(104)))) == Refused(code=104)
    with pytest.raises(UnexpectedValue, match="not true"):
        outcomes.acknowledgement(encode(Ok(FALSE)))


def test_every_number_has_a_meaning_and_a_strange_one_says_so() -> None:
    assert [code for code in ContractError if not code.meaning] == []
    assert [int(code) for code in ContractError] == [*range(1, 5), *range(100, 105), *range(200, 213)]
    assert meaning_of(205) == "the quote has been used"
    assert meaning_of(999) == "error u999, which is not ours"
