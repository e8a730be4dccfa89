"""What our contracts answer when asked, as typed values."""

from collections.abc import Sequence
from typing import cast

import pytest

from registry.domain.errors import BadRequest
from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BlockHash, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks.clarity import (
    NONE,
    Buffer,
    Int,
    List,
    Some,
    StringAscii,
    Tuple,
    UInt,
    Value,
    parse_principal,
)
from registry.stacks.contract_reads import ChainPolicy, ContractReads, Pool, Position
from registry.stacks.contracts import (
    Contracts,
)
from registry.stacks.node import StacksNode
from registry.stacks.principals import ContractPrincipal
from registry.stacks.shapes import UnexpectedValue
from registry.stacks.wire import (
    TESTNET,
)

DEPLOYER = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69"
OWNER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
CONTRACTS = Contracts(
    registry=Principal(f"{DEPLOYER}.policy-registry"),
    pool=Principal(f"{DEPLOYER}.liquidity-pool"),
    sbtc=Principal(f"{DEPLOYER}.sbtc-token"),
    network=TESTNET,
)
POOL = ContractPrincipal.parse(CONTRACTS.pool)
TIP = BlockHash("ab" * 32)


class ScriptedNode:
    """Answers call-reads from a table and remembers what was asked; it stands for no chain."""

    def __init__(self, answers: dict[str, Value]) -> None:
        self.answers = answers
        self.asked: list[tuple[Principal, str, tuple[Value, ...], Principal, BlockHash | None]] = []

    def call_read(
        self,
        contract_id: Principal,
        function: str,
        arguments: Sequence[Value] = (),
        *,
        sender: Principal,
        tip: BlockHash | None = None,
    ) -> Value:
        self.asked.append((contract_id, function, tuple(arguments), sender, tip))
        return self.answers[function]


def reads_of(answers: dict[str, Value]) -> tuple[ContractReads, ScriptedNode]:
    node = ScriptedNode(answers)
    return ContractReads(node=cast("StacksNode", node), contracts=CONTRACTS), node


POLICY = Tuple(
    {
        "owner": parse_principal(OWNER),
        "counterparty": POOL,
        "protected-value": UInt(5_000_000_000_000),
        "protected-amount": UInt(10_000_000),
        "expiration-height": UInt(900_000),
        "policy-type": StringAscii("PUT"),
        "status": UInt(1),
    }
)
POSITION = Tuple(
    {
        "owner": parse_principal(OWNER),
        "token": StringAscii("sBTC"),
        "collateral": UInt(90),
        "status": UInt(0),
        "payout": UInt(0),
    }
)
POOL_STATE = Tuple(
    {
        "assets": UInt(1),
        "locked": UInt(2),
        "shares": UInt(3),
        "unearned": UInt(4),
        "since": UInt(5),
        "until": UInt(6),
    }
)


def test_policies_come_in_the_order_asked_at_the_block_named() -> None:
    reads, node = reads_of({"get-policies": List([Some(POLICY), NONE])})
    found = reads.get_policies([9, 4], tip=TIP)
    assert found == (
        ChainPolicy(
            owner=OWNER,
            counterparty=CONTRACTS.pool,
            protected_value=Usd8(5_000_000_000_000),
            protected_amount=Sats(10_000_000),
            expiration_height=BurnHeight(900_000),
            policy_type="PUT",
            status=OnChainStatus.SETTLED,
        ),
        None,
    )
    ids = List([UInt(9), UInt(4)])
    assert node.asked == [(CONTRACTS.registry, "get-policies", (ids,), Principal(DEPLOYER), TIP)]


def test_positions_come_in_the_order_asked() -> None:
    reads, node = reads_of({"get-positions": List([NONE, Some(POSITION)])})
    found = reads.get_positions([9, 4])
    assert found == (
        None,
        Position(
            owner=OWNER,
            token=Token.SBTC,
            collateral=BaseUnits(90),
            status=OnChainStatus.ACTIVE,
            payout=BaseUnits(0),
        ),
    )
    assert node.asked[0][0] == CONTRACTS.pool


def test_at_most_fifty_are_read_at_once() -> None:
    reads, node = reads_of({})
    for ids in ([], list(range(51))):
        with pytest.raises(BadRequest, match="1 to 50"):
            reads.get_policies(ids)
    assert node.asked == []


def test_fewer_answers_than_questions_are_an_alarm() -> None:
    reads, _ = reads_of({"get-policies": List([NONE])})
    with pytest.raises(UnexpectedValue, match="1 entries, not 2"):
        reads.get_policies([1, 2])


def test_a_pool_is_read_as_of_the_block() -> None:
    reads, node = reads_of({"get-pool": Some(POOL_STATE)})
    assert reads.get_pool(Token.SBTC, tip=TIP) == Pool(
        assets=BaseUnits(1),
        locked=BaseUnits(2),
        shares=3,
        unearned=BaseUnits(4),
        since=BurnHeight(5),
        until=BurnHeight(6),
    )
    assert node.asked[0][2:] == ((StringAscii("sBTC"),), Principal(DEPLOYER), TIP)
    missing, _ = reads_of({"get-pool": NONE})
    with pytest.raises(UnexpectedValue, match="a pool"):
        missing.get_pool(Token.STX)


def test_a_quote_names_the_policy_it_was_used_for() -> None:
    used, node = reads_of({"get-quote-policy": Some(UInt(12))})
    unused, _ = reads_of({"get-quote-policy": NONE})
    assert used.get_quote_policy(bytes(16)) == 12
    assert unused.get_quote_policy(bytes(16)) is None
    assert node.asked[0][2] == (Buffer(bytes(16)),)


def test_single_facts_are_read_as_what_they_are() -> None:
    reads, _ = reads_of(
        {
            "get-policy-counter": UInt(4),
            "get-backend-principal": parse_principal(OWNER),
            "get-quote-signer": POOL,
        }
    )
    assert reads.get_policy_counter(tip=TIP) == 4
    assert reads.get_backend_principal(tip=TIP) == OWNER
    assert reads.get_quote_signer(tip=TIP) == CONTRACTS.pool
    wrong, _ = reads_of({"get-policy-counter": Int(4)})
    with pytest.raises(UnexpectedValue, match="policy counter"):
        wrong.get_policy_counter()
    bare, _ = reads_of({"get-quote-policy": UInt(4)})
    with pytest.raises(UnexpectedValue, match="not an optional"):
        bare.get_quote_policy(bytes(16))
