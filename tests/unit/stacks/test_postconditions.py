"""Post-conditions of every kind as bytes and back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.stacks.clarity import NONE, ContractPrincipal, Some, UInt, Value, parse_principal
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.postconditions import (
    ORIGIN,
    Asset,
    Condition,
    FungiblePostCondition,
    NftCondition,
    NonFungiblePostCondition,
    PostCondition,
    PoxCondition,
    PoxPostCondition,
    StakingPostCondition,
    StxPostCondition,
    read_post_condition,
)
from registry.stacks.reader import Reader

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "stacks_vectors.json").read_text())
ADDRESS = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM"
BODY = "1a6d78de7b0625dfbfc16c3a8a5735f6dc3dc3f2ce"
HOLDER = parse_principal(ADDRESS)
ASSET = Asset.parse(f"{ADDRESS}.n::tok")

CONDITIONS = dict(zip(("eq", "gt", "gte", "lt", "lte"), Condition, strict=True))
NFT_CONDITIONS = dict(zip(("sent", "not-sent", "maybe-sent"), NftCondition, strict=True))


def described(form: dict[str, Any]) -> PostCondition:
    """The post-condition that a vector's JSON describes."""
    holder = ORIGIN if form["address"] == "origin" else parse_principal(form["address"])
    if form["type"] == "stx-postcondition":
        return StxPostCondition(holder=holder, condition=CONDITIONS[form["condition"]], amount=int(form["amount"]))
    asset = Asset.parse(form["asset"])
    if form["type"] == "ft-postcondition":
        condition = CONDITIONS[form["condition"]]
        return FungiblePostCondition(holder=holder, asset=asset, condition=condition, amount=int(form["amount"]))
    return NonFungiblePostCondition(
        holder=holder,
        asset=asset,
        asset_id=UInt(int(form["assetId"]["value"])),
        condition=NFT_CONDITIONS[form["condition"]],
    )


def decoded(data: bytes) -> PostCondition:
    reader = Reader(data)
    condition = read_post_condition(reader)
    reader.finish("a post-condition")
    return condition


def of_transactions() -> list[dict[str, Any]]:
    return [
        {"pc": form, "hex": text}
        for transaction in VECTORS["transactions"]
        for form, text in zip(transaction["post_conditions"], transaction.get("post_conditions_hex", []), strict=False)
    ]


@pytest.mark.parametrize("vector", [*VECTORS["post_conditions"], *of_transactions()], ids=lambda v: v["hex"][:60])
def test_a_post_condition_is_its_bytes(vector: dict[str, Any]) -> None:
    condition = described(vector["pc"])
    assert condition.encode().hex() == vector["hex"]
    assert decoded(bytes.fromhex(vector["hex"])) == condition


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (StxPostCondition(holder=ORIGIN, condition=Condition.LESS, amount=2**64 - 1), "000104ffffffffffffffff"),
        (
            FungiblePostCondition(holder=HOLDER, asset=ASSET, condition=Condition.GREATER, amount=0),
            f"0102{BODY}{BODY}016e03746f6b020000000000000000",
        ),
        (
            NonFungiblePostCondition(
                holder=ContractPrincipal.parse(f"{ADDRESS}.v"),
                asset=ASSET,
                asset_id=NONE,
                condition=NftCondition.NOT_SENT,
            ),
            f"0203{BODY}0176{BODY}016e03746f6b0911",
        ),
        (
            StakingPostCondition(holder=HOLDER, condition=Condition.GREATER_OR_EQUAL, amount=1),
            f"0302{BODY}030000000000000001",
        ),
        (PoxPostCondition(holder=ORIGIN, condition=PoxCondition.NOT_PERFORMED), "040130"),
        (PoxPostCondition(holder=HOLDER, condition=PoxCondition.MAYBE_PERFORMED), f"0402{BODY}31"),
        (PoxPostCondition(holder=ORIGIN, condition=PoxCondition.PERFORMED), "040132"),
    ],
)
def test_every_kind_is_its_parts_in_order(condition: PostCondition, text: str) -> None:
    assert condition.encode().hex() == text
    assert decoded(bytes.fromhex(text)) == condition


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ("05", 0, "0x05 is none of 0x00, 0x01, 0x02, 0x03, 0x04"),
        ("0000", 1, "0x00 is none of 0x01, 0x02, 0x03"),
        ("000106", 2, "0x06 is none of 0x01, 0x02, 0x03, 0x04, 0x05"),
        ("00010100", 3, "it needs 8 bytes and 1 remain"),
        ("040133", 2, "0x33 is none of 0x30, 0x31, 0x32"),
        (f"0201{BODY}016e03746f6b0913", 30, "0x13 is none of 0x10, 0x11, 0x12"),
        (f"0201{BODY}016e03746f6b{'0a' * 16}0310", 45, "nested too deep"),
        (f"0101{BODY}016e002001", 0, "'' is not one"),
        ("04013200", 3, "1 bytes follow it"),
    ],
)
def test_what_is_no_post_condition_is_refused(text: str, offset: int, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as refusal:
        decoded(bytes.fromhex(text))
    assert refusal.value.offset == offset


def wrapped(value: Value, levels: int) -> Value:
    for _ in range(levels):
        value = Some(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: StxPostCondition(holder=ORIGIN, condition=Condition.EQUAL, amount=2**64),
        lambda: StakingPostCondition(holder=ORIGIN, condition=Condition.EQUAL, amount=-1),
        lambda: FungiblePostCondition(holder=ORIGIN, asset=ASSET, condition=Condition.EQUAL, amount=2**64),
        lambda: Asset(contract=ASSET.contract, name="a b"),
        lambda: NonFungiblePostCondition(
            holder=ORIGIN, asset=ASSET, asset_id=wrapped(NONE, 16), condition=NftCondition.SENT
        ),
    ],
)
def test_a_post_condition_without_bytes_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(EncodeError):
        make()


def test_an_asset_is_the_text_it_was_made_from() -> None:
    text = f"{ADDRESS}.sbtc-token::sbtc-token"
    assert str(Asset.parse(text)) == text
    for refused, offset in ((f"{ADDRESS}.n", 43), (f"{ADDRESS}::tok", 41), (f"{ADDRESS}.n::", 45)):
        with pytest.raises(DecodeError) as refusal:
            Asset.parse(refused)
        assert refusal.value.offset == offset
