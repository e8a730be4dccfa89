"""Our codec against stacks.js: the same descriptions, built by both, are the same bytes, txids and signatures.

SEED=number repeats a run; the seed of a failed one is in its output.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.stacks import clarity, signing
from registry.stacks.keys import script_hash
from registry.stacks.postconditions import read_post_condition
from registry.stacks.reader import Reader
from registry.stacks.wire import (
    AWAITED_SPONSOR,
    ORIGIN,
    AnchorMode,
    Asset,
    Condition,
    ContractCall,
    FungiblePostCondition,
    HashMode,
    MultiSig,
    Network,
    NftCondition,
    NonFungiblePostCondition,
    Payload,
    PostCondition,
    PostConditionMode,
    PoxCondition,
    PoxPostCondition,
    SingleSig,
    SmartContract,
    StakingPostCondition,
    StxPostCondition,
    TokenTransfer,
    Transaction,
    TransactionVersion,
)
from tests.integration.chain import ROOT
from tests.integration.codec_cases import COMPARED, JSON, SENT, STACKED, Cases
from workers.embedded.node import find_node

PEER = Path(__file__).with_name("codec_peer.mjs")
PEER_SECONDS = 30
COUNTS = {"value": 300, "postCondition": 200, "transaction": 250, "shared": 60}

CONDITIONS = dict(
    zip(
        COMPARED,
        (Condition.EQUAL, Condition.GREATER, Condition.GREATER_OR_EQUAL, Condition.LESS, Condition.LESS_OR_EQUAL),
        strict=True,
    )
)
NFT_CONDITIONS = dict(zip(SENT, NftCondition, strict=True))
POX_CONDITIONS = dict(zip(STACKED, PoxCondition, strict=True))
MODES = {
    "allow": PostConditionMode.ALLOW,
    "deny": PostConditionMode.DENY,
    "originator": PostConditionMode.ORIGINATOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A description, and what stacks.js makes of it."""

    described: JSON
    theirs: Mapping[str, Any]


Built = Mapping[str, list[Case]]


@pytest.fixture(scope="module")
def built() -> Built:
    """Every case, built by stacks.js in one process."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it when a test fails
    cases = Cases(random.Random(seed))  # noqa: S311 - not for secrets
    draw = {
        "value": cases.value,
        "postCondition": cases.post_condition,
        "transaction": cases.transaction,
        "shared": cases.shared_transaction,
    }
    described = {kind: [draw[kind]() for _ in range(count)] for kind, count in COUNTS.items()}
    answers = iter(ask_stacks_js(described))
    return {
        kind: [Case(described=each, theirs=next(answers)) for each in descriptions]
        for kind, descriptions in described.items()
    }


def ask_stacks_js(described: Mapping[str, list[JSON]]) -> Iterator[JSON]:
    """The answers of stacks.js, in the order asked; it must have one to everything."""
    node = find_node()
    assert node is not None, "run make setup"
    kinds = {"shared": "transaction"}
    lines = [
        json.dumps({"kind": kinds.get(kind, kind), "described": each})
        for kind, descriptions in described.items()
        for each in descriptions
    ]
    command = [*node.node, str(PEER), str(ROOT / "devnet" / "package.json")]
    told = subprocess.run(  # noqa: S603 - our own program
        command, input="\n".join(lines), capture_output=True, text=True, timeout=PEER_SECONDS, check=True
    )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(answers) == len(lines), told.stderr
    for line, answer in zip(lines, answers, strict=True):
        assert "refused" not in answer, f"{answer} of {line}"
    return iter(answers)


VALUES: Mapping[str, Callable[[Any], clarity.Value]] = {
    "int": lambda told: clarity.Int(int(told)),
    "uint": lambda told: clarity.UInt(int(told)),
    "buffer": lambda told: clarity.Buffer(bytes.fromhex(told)),
    "true": lambda _: clarity.TRUE,
    "false": lambda _: clarity.FALSE,
    "none": lambda _: clarity.NONE,
    "ascii": clarity.StringAscii,
    "utf8": clarity.StringUtf8,
    "address": clarity.parse_principal,
    "contract": clarity.parse_principal,
    "some": lambda told: clarity.Some(value_of(told)),
    "ok": lambda told: clarity.Ok(value_of(told)),
    "err": lambda told: clarity.Err(value_of(told)),
    "list": lambda told: clarity.List([value_of(each) for each in told]),
    "tuple": lambda told: clarity.Tuple({name: value_of(each) for name, each in told.items()}),
}


def value_of(described: JSON) -> clarity.Value:
    """The value that JSON describes."""
    return VALUES[described["type"]](described.get("value"))


def post_condition_of(described: JSON) -> PostCondition:
    """The post-condition that JSON describes."""
    holder = ORIGIN if described["address"] == "origin" else clarity.parse_principal(described["address"])
    kind, told = described["type"].removesuffix("-postcondition"), described["condition"]
    if kind == "pox":
        return PoxPostCondition(holder=holder, condition=POX_CONDITIONS[told])
    if kind == "nft":
        return NonFungiblePostCondition(
            holder=holder,
            asset=Asset.parse(described["asset"]),
            asset_id=value_of(described["assetId"]),
            condition=NFT_CONDITIONS[told],
        )
    condition, amount = CONDITIONS[told], int(described["amount"])
    if kind == "ft":
        asset = Asset.parse(described["asset"])
        return FungiblePostCondition(holder=holder, asset=asset, condition=condition, amount=amount)
    if kind == "stx":
        return StxPostCondition(holder=holder, condition=condition, amount=amount)
    return StakingPostCondition(holder=holder, condition=condition, amount=amount)


def payload_of(described: JSON) -> Payload:
    """The payload that JSON describes."""
    match described["type"]:
        case "transfer":
            return TokenTransfer(
                recipient=clarity.parse_principal(described["recipient"]),
                amount=int(described["amount"]),
                memo=described["memo"].encode(),
            )
        case "call":
            return ContractCall(
                contract=clarity.ContractPrincipal.parse(described["contract"]),
                function=described["function"],
                arguments=tuple(value_of(each) for each in described["arguments"]),
            )
        case "deploy":
            version = described["clarityVersion"]
            return SmartContract(name=described["name"], code=described["code"], clarity_version=version)
    raise AssertionError(described)


def unsigned_of(described: JSON, origin: SingleSig | MultiSig) -> Transaction:
    """The transaction that JSON describes, without its signatures."""
    return Transaction(
        network=Network(version=TransactionVersion(described["version"]), chain_id=described["chainId"]),
        origin=origin,
        sponsor=AWAITED_SPONSOR if described["sponsor"] else None,
        anchor_mode=AnchorMode(described["anchorMode"]),
        post_condition_mode=MODES[described["postConditionMode"]],
        post_conditions=tuple(post_condition_of(each) for each in described["postConditions"]),
        payload=payload_of(described["payload"]),
    )


def signed_of(described: JSON) -> Transaction:
    """The transaction that JSON describes, signed by its one signer and any sponsor."""
    origin, sponsor = described["origin"], described["sponsor"]
    key = signing.PrivateKey.from_hex(origin["keys"][0])
    condition = key.spend(nonce=int(origin["nonce"]), fee=int(origin["fee"]), hash_mode=HashMode(origin["hashMode"]))
    signed = signing.sign(unsigned_of(described, condition), key)
    if sponsor is None:
        return signed
    paying = signing.PrivateKey.from_hex(sponsor["key"])
    return signing.sign_as_sponsor(signed, paying, nonce=int(sponsor["nonce"]), fee=int(sponsor["fee"]))


def signature_of(condition: SingleSig | MultiSig | None) -> str | None:
    """Hex of V ‖ R ‖ S; None where nobody signs alone."""
    return condition.signature.hex() if isinstance(condition, SingleSig) else None


def test_a_value_has_the_bytes_that_stacks_js_gives_it(built: Built) -> None:
    for case in built["value"]:
        value = value_of(case.described)
        assert value.encode().hex() == case.theirs["bytes"] == case.theirs["again"], case.described
        assert clarity.from_hex(case.theirs["bytes"]) == value
        assert clarity.from_hex(case.theirs["bytes"]).to_json() == case.described


def test_a_post_condition_has_the_bytes_that_stacks_js_gives_it(built: Built) -> None:
    for case in built["postCondition"]:
        condition = post_condition_of(case.described)
        assert condition.encode().hex() == case.theirs["bytes"] == case.theirs["again"], case.described
        reader = Reader(bytes.fromhex(case.theirs["bytes"]))
        assert read_post_condition(reader) == condition
        reader.finish("a post-condition")


def test_a_transaction_has_the_bytes_txid_and_signatures_that_stacks_js_gives_it(built: Built) -> None:
    for case in built["transaction"]:
        signed = signed_of(case.described)
        assert signature_of(signed.origin) == case.theirs["signature"], case.described
        assert signature_of(signed.sponsor) == case.theirs["sponsorSignature"], case.described
        assert signed.encode().hex() == case.theirs["bytes"] == case.theirs["again"], case.described
        assert signed.txid == case.theirs["txid"]
        assert Transaction.decode(bytes.fromhex(case.theirs["bytes"])) == signed


def test_what_several_keys_signed_with_stacks_js_is_read_verified_and_written_back(built: Built) -> None:
    for case in built["shared"]:
        data, told = bytes.fromhex(case.theirs["bytes"]), case.described["origin"]
        shared = Transaction.decode(data)
        assert shared.encode().hex() == case.theirs["bytes"] == case.theirs["again"], case.described
        assert shared.txid == case.theirs["txid"]
        assert shared == unsigned_of(case.described, shared.origin)
        keys = [signing.PrivateKey.from_hex(key).public_key for key in told["keys"]]
        assert shared.origin.signer == script_hash(keys, told["required"], HashMode(told["hashMode"]))
        assert signing.verify(shared) == shared.sender
