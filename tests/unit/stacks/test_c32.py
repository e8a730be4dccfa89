"""Addresses: one spelling each."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.stacks import c32
from registry.stacks.errors import DecodeError, EncodeError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "stacks_vectors.json").read_text())
ADDRESS = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM"


@pytest.mark.parametrize("vector", VECTORS["c32_addresses"], ids=lambda vector: vector["address"])
def test_an_address_is_its_version_and_hash(vector: dict[str, Any]) -> None:
    version, hash160 = vector["version"], bytes.fromhex(vector["hash160"])
    assert c32.decode_address(vector["address"]) == (version, hash160)
    assert c32.encode_address(version, hash160) == vector["address"]


@pytest.mark.parametrize("vector", VECTORS["c32_invalid"], ids=lambda vector: vector["address"])
def test_what_stacks_js_refuses_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        c32.decode_address(vector["address"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not S and"),
        ("S" + "0" * 41, "it is not S and"),
        (ADDRESS.lower(), "it is not S and"),
        (ADDRESS.replace("0", "O"), "it is not S and"),
        (ADDRESS.replace("1", "I"), "it is not S and"),
        (ADDRESS.replace("1", "L"), "it is not S and"),
        (ADDRESS + "\n", "it is not S and"),
        (" " + ADDRESS[1:], "it is not S and"),
        (ADDRESS.replace("3", "\u0663"), "it is not S and"),
        (ADDRESS[:-1] + "8", "its checksum is wrong"),
        ("SP" + ADDRESS[2:], "its checksum is wrong"),
        (ADDRESS[:-1], "its checksum is wrong"),
        ("S" + "Z" * 40, "its checksum is wrong"),
        ("SP00000000000000000002Q6VF78", "more or fewer leading zeros"),
        ("SP00000000000000000000000000002Q6VF78", "more or fewer leading zeros"),
        ("ST0" + ADDRESS[2:], "it is not S and"),
    ],
)
def test_only_the_canonical_spelling_is_an_address(text: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        c32.decode_address(text)


@pytest.mark.parametrize(("version", "length"), [(-1, 20), (32, 20), (22, 19), (22, 21), (22, 0)])
def test_an_address_has_one_of_32_versions_and_20_bytes(version: int, length: int) -> None:
    with pytest.raises(EncodeError, match="cannot encode an address because"):
        c32.encode_address(version, bytes(length))


def test_digits_beyond_24_bytes_are_no_address() -> None:
    overflowing = "SP" + "Z" + "0" * 38
    with pytest.raises(DecodeError):
        c32.decode_address(overflowing)
