"""Whatever a node sends or a contract prints, it is read or refused by name, and nothing else happens."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from registry.domain.units import Principal
from registry.stacks.answers import Answer
from registry.stacks.broadcast import verdict
from registry.stacks.clarity import (
    NONE,
    TRUE,
    Buffer,
    Err,
    Int,
    List,
    Ok,
    Some,
    StringAscii,
    Tuple,
    UInt,
    Value,
    encode,
    parse_principal,
)
from registry.stacks.contracts import Contracts
from registry.stacks.events import MalformedEvent, UnknownEvent, decode_event
from registry.stacks.node import NodeUnavailable
from registry.stacks.outcomes import expirations, settlement
from registry.stacks.shapes import UnexpectedValue
from registry.stacks.wire import TESTNET

ADDRESS = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69"
CONTRACTS = Contracts(
    registry=Principal(f"{ADDRESS}.policy-registry"),
    pool=Principal(f"{ADDRESS}.liquidity-pool"),
    sbtc=Principal(f"{ADDRESS}.sbtc-token"),
    network=TESTNET,
)
NAMES = ["policy-created", "policy-purchased", "policy-settled", "funds-deposited", "treasury-set", "other"]
KEYS = ["policy-id", "owner", "token", "amount", "collateral", "shares", "provider", "previous", "current"]

scalars: st.SearchStrategy[Value] = st.one_of(
    st.builds(UInt, st.integers(0, 2**128 - 1)),
    st.builds(Int, st.integers(-(2**127), 2**127 - 1)),
    st.builds(Buffer, st.binary(max_size=20)),
    st.sampled_from([TRUE, NONE, parse_principal(ADDRESS), parse_principal(CONTRACTS.pool)]),
    st.builds(StringAscii, st.sampled_from(["STX", "sBTC", "PUT", ""])),
)


def around(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    fields = st.dictionaries(st.sampled_from([*KEYS, "payout"]), inner, min_size=1, max_size=5)
    named = st.builds(lambda each, name: Tuple({**each, "event": StringAscii(name)}), fields, st.sampled_from(NAMES))
    wrapped = st.one_of(st.builds(Ok, inner), st.builds(Err, inner), st.builds(Some, inner))
    return st.one_of(wrapped, st.builds(List, st.lists(inner, max_size=3)), st.builds(Tuple, fields), named)


values = st.recursive(scalars, around, max_leaves=12)
answers = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["BadNonce", "MoonPhase", "", "0x" + "0" * 64])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["reason", "reason_data", "txid", "message"]), inner, max_size=4),
    ),
    max_leaves=6,
)


def to_json(answer: object) -> bytes:
    return json.dumps(answer).encode()


@given(raw=st.one_of(st.binary(max_size=64), st.builds(encode, values)))
def test_any_print_is_an_event_or_malformed(raw: bytes) -> None:
    for contract_id in (CONTRACTS.pool, CONTRACTS.registry):
        with contextlib.suppress(MalformedEvent):
            event = decode_event(CONTRACTS, contract_id, raw)
            assert not isinstance(event, UnknownEvent) or event.raw == raw


@given(raw=st.one_of(st.binary(max_size=64), st.builds(encode, values)), count=st.integers(1, 3))
def test_any_result_is_an_outcome_or_an_alarm(raw: bytes, count: int) -> None:
    with contextlib.suppress(UnexpectedValue):
        settlement(raw)
    with contextlib.suppress(UnexpectedValue):
        assert len(expirations(raw, count=count)) == count


@given(
    body=st.one_of(st.binary(max_size=64), st.builds(to_json, answers)),
    status=st.sampled_from([200, 302, 400, 404, 429, 500]),
)
def test_any_answer_to_a_broadcast_is_a_verdict_or_doubt(body: bytes, status: int) -> None:
    with contextlib.suppress(NodeUnavailable):
        verdict(Answer(endpoint="POST /v2/transactions", status=status, body=body), b"raw")
