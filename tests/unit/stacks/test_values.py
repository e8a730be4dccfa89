"""What Clarity values can be made, and what they are equal to."""

from collections.abc import Callable

import pytest

from registry.stacks.clarity import (
    FALSE,
    TRUE,
    Bool,
    Buffer,
    ContractPrincipal,
    Err,
    Int,
    List,
    Ok,
    Some,
    StandardPrincipal,
    StringAscii,
    StringUtf8,
    Tuple,
    UInt,
    Value,
    parse_principal,
)
from registry.stacks.errors import DecodeError, EncodeError

ADDRESS = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM"
DEPLOYER = StandardPrincipal.parse(ADDRESS)
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "make",
    [
        lambda: UInt(-1),
        lambda: UInt(2**128),
        lambda: UInt(10**5000),
        lambda: Int(2**127),
        lambda: Int(-(2**127) - 1),
        lambda: Buffer(bytes(MIB + 1)),
        lambda: StringAscii("a" * (MIB + 1)),
        lambda: StringAscii("\x0b"),
        lambda: StringAscii("\x7f"),
        lambda: StringAscii("é"),
        lambda: StringUtf8("é" * (MIB // 2 + 1)),
        lambda: StringUtf8("\ud800"),
        lambda: Tuple({}),
        lambda: Tuple({"": TRUE}),
        lambda: Tuple({"a b": TRUE}),
        lambda: Tuple({"a\n": TRUE}),
        lambda: Tuple({"a" * 129: TRUE}),
        lambda: StandardPrincipal(version=32, hash160=bytes(20)),
        lambda: StandardPrincipal(version=22, hash160=bytes(19)),
        lambda: ContractPrincipal(deployer=DEPLOYER, name=""),
        lambda: ContractPrincipal(deployer=DEPLOYER, name="-a"),
        lambda: ContractPrincipal(deployer=DEPLOYER, name="a" * 41),
        lambda: ContractPrincipal(deployer=DEPLOYER, name="a\n"),
    ],
)
def test_a_value_without_bytes_cannot_be_made(make: Callable[[], Value]) -> None:
    with pytest.raises(EncodeError, match=r"cannot encode .* because "):
        make()


@pytest.mark.parametrize(
    "value",
    [
        UInt(0),
        UInt(2**128 - 1),
        Int(2**127 - 1),
        Int(-(2**127)),
        StringAscii("\t\n\x0c\r ~"),
        StringUtf8("\x00\x7f\U0010ffff"),
        ContractPrincipal(deployer=DEPLOYER, name="a" * 40),
        Tuple(dict.fromkeys(("_", "+", "<=", ">", "a?", "a" * 128), TRUE)),
        List(),
    ],
)
def test_the_outermost_values_have_bytes(value: Value) -> None:
    assert value.encode()[:1] == value.tag


def test_values_of_different_types_are_different() -> None:
    assert len({Some(UInt(1)), Ok(UInt(1)), Err(UInt(1)), List([UInt(1)]), UInt(1), Int(1)}) == 6
    assert len({StringAscii("a"), StringUtf8("a"), Buffer(b"a")}) == 3
    assert Bool(value=True) == TRUE != FALSE


def test_a_tuple_does_not_remember_the_order_it_was_given_in() -> None:
    assert Tuple({"b": UInt(1), "a": UInt(2)}) == Tuple({"a": UInt(2), "b": UInt(1)})
    assert list(Tuple({"b": UInt(1), "a": UInt(2), "B": UInt(3)})) == ["B", "a", "b"]


def test_a_tuple_gives_its_fields_by_name() -> None:
    fields = Tuple({"policy-id": UInt(7), "owner": DEPLOYER})
    assert fields["policy-id"] == UInt(7)
    assert len(fields) == 2
    with pytest.raises(KeyError):
        fields["policy"]


def test_a_list_gives_its_items_in_order() -> None:
    assert tuple(List([UInt(2), UInt(1)])) == (UInt(2), UInt(1))
    assert len(List([UInt(2), UInt(1)])) == 2


def test_depth_counts_the_deepest_branch() -> None:
    assert List([]).depth == 1
    assert List([UInt(1), Some(Some(UInt(1)))]).depth == 4
    assert Tuple({"a": UInt(1), "b": List([UInt(1)])}).depth == 3


def test_a_principal_is_the_text_it_was_made_from() -> None:
    assert str(parse_principal(ADDRESS)) == ADDRESS
    assert str(parse_principal(f"{ADDRESS}.policy-registry")) == f"{ADDRESS}.policy-registry"
    assert parse_principal(f"{ADDRESS}.a") == ContractPrincipal(deployer=DEPLOYER, name="a")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (f"{ADDRESS}.", len(ADDRESS) + 1),
        (f"{ADDRESS}.a.b", len(ADDRESS) + 1),
        (f"{ADDRESS}.1", len(ADDRESS) + 1),
        (f"{ADDRESS}.{'a' * 41}", len(ADDRESS) + 1),
        (".a", 0),
        ("", 0),
        (f"'{ADDRESS}", 0),
    ],
)
def test_what_is_no_principal_says_where(text: str, offset: int) -> None:
    with pytest.raises(DecodeError) as refusal:
        parse_principal(text)
    assert refusal.value.offset == offset


def test_an_address_is_no_contract() -> None:
    with pytest.raises(DecodeError, match=r"no \.name follows"):
        ContractPrincipal.parse(ADDRESS)
