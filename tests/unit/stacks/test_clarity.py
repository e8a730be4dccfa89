"""Clarity values as bytes and back, against vectors of stacks.js and the VM; and what is refused."""

import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.stacks import clarity
from registry.stacks.errors import DecodeError, EncodeError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "stacks_vectors.json").read_text())
HASH160 = "6d78de7b0625dfbfc16c3a8a5735f6dc3dc3f2ce"

vectors = pytest.mark.parametrize("vector", VECTORS["clarity_values"], ids=lambda vector: vector["id"])


MADE_FROM_JSON: dict[str, Callable[[Any], clarity.Value]] = {
    "int": lambda digits: clarity.Int(int(digits)),
    "uint": lambda digits: clarity.UInt(int(digits)),
    "true": lambda _: clarity.TRUE,
    "false": lambda _: clarity.FALSE,
    "none": lambda _: clarity.NONE,
    "buffer": lambda digits: clarity.Buffer(bytes.fromhex(digits)),
    "ascii": clarity.StringAscii,
    "utf8": clarity.StringUtf8,
    "address": clarity.StandardPrincipal.parse,
    "contract": clarity.ContractPrincipal.parse,
    "some": lambda form: clarity.Some(value_of(form)),
    "ok": lambda form: clarity.Ok(value_of(form)),
    "err": lambda form: clarity.Err(value_of(form)),
    "list": lambda forms: clarity.List(map(value_of, forms)),
    "tuple": lambda forms: clarity.Tuple({name: value_of(form) for name, form in forms.items()}),
}


def value_of(form: dict[str, Any]) -> clarity.Value:
    return MADE_FROM_JSON[form["type"]](form.get("value"))


@vectors
def test_a_value_becomes_its_bytes(vector: dict[str, Any]) -> None:
    assert clarity.encode(value_of(vector["cv"])).hex() == vector["hex"]


@vectors
def test_bytes_become_their_value(vector: dict[str, Any]) -> None:
    assert clarity.decode(bytes.fromhex(vector["hex"])) == value_of(vector["cv"])


@vectors
def test_a_value_says_itself_in_json(vector: dict[str, Any]) -> None:
    assert clarity.from_hex(vector["hex"]).to_json() == vector["cv"]


@vectors
def test_a_value_cut_short_says_where(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    for length in range(len(data)):
        with pytest.raises(DecodeError) as refusal:
            clarity.decode(data[:length])
        assert 0 <= refusal.value.offset <= length


@pytest.mark.parametrize("vector", VECTORS["tuple_key_order"], ids=lambda vector: " ".join(vector["keys"]))
def test_a_tuple_is_in_byte_order_whatever_stacks_js_does(vector: dict[str, Any]) -> None:
    canonical = clarity.from_hex(vector["canonical_hex"])
    assert isinstance(canonical, clarity.Tuple)
    assert list(canonical) == vector["canonical_order"]
    shuffled = clarity.Tuple({name: canonical[name] for name in vector["keys"]})
    assert clarity.to_hex(shuffled) == vector["canonical_hex"]
    if vector["differs"]:
        with pytest.raises(DecodeError, match="in byte order"):
            clarity.from_hex(vector["stacksjs_hex"])


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ("", 0, "it needs 1 bytes and 0 remain"),
        ("0f", 0, "0x0f is the type of nothing"),
        ("ff", 0, "0xff is the type of nothing"),
        ("0300", 1, "1 bytes follow it"),
        ("0904", 1, "1 bytes follow it"),
        ("00" + "00" * 15, 1, "it needs 16 bytes and 15 remain"),
        ("02ffffffff", 5, "it needs 4294967295 bytes and 0 remain"),
        ("0200000002ff", 5, "it needs 2 bytes and 1 remain"),
        ("0bffffffff03", 1, "it announces 4294967295 items and 1 bytes remain"),
        ("0cffffffff", 1, "it announces 4294967295 items and 0 bytes remain"),
        ("0c00000000", 0, "it is empty"),
        ("0c00000002" + "016203" + "016103", 8, "'a' does not come after 'b'"),
        ("0c00000002" + "016103" + "016103", 8, "'a' does not come after 'a'"),
        ("0c00000001" + "0003", 0, "'' is not one"),
        ("0c00000001" + "013103", 0, "'1' is not one"),
        ("0c00000001" + "01e903", 0, "'é' is not one"),
        ("0c00000001" + "81" + "61" * 129 + "03", 0, "over 128 characters"),
        ("0d00000001" + "0b", 0, "neither printable ASCII nor"),
        ("0d00000001" + "7f", 0, "neither printable ASCII nor"),
        ("0d00000001" + "00", 0, "neither printable ASCII nor"),
        ("0d00000001" + "80", 0, "neither printable ASCII nor"),
        ("0d00000002" + "610a" + "00", 7, "1 bytes follow it"),
        ("0e00000001" + "ff", 5, "invalid start byte"),
        ("0e00000003" + "61c080", 6, "invalid start byte"),  # an overlong zero
        ("0e00000003" + "eda080", 5, "invalid continuation byte"),  # half a surrogate pair
        ("0520" + HASH160, 0, "its version 32 is not one of 0 to 31"),
        ("051a" + HASH160[2:], 2, "it needs 20 bytes and 19 remain"),
        ("061a" + HASH160 + "00", 0, "'' is not a letter"),
        ("061a" + HASH160 + "0131", 0, "'1' is not a letter"),
        ("061a" + HASH160 + "02612e", 0, "'a.' is not a letter"),
        ("061a" + HASH160 + "02610a", 0, r"'a\\n' is not a letter"),
        ("061a" + HASH160 + "29" + "61" * 41, 0, "up to 39"),
        ("0a0a" + "20", 2, "0x20 is the type of nothing"),
    ],
)
def test_what_encodes_to_other_bytes_is_refused_with_place_and_reason(text: str, offset: int, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as refusal:
        clarity.from_hex(text)
    assert refusal.value.offset == offset
    assert str(refusal.value).startswith(f"cannot decode {refusal.value.what} at offset {offset} because")


@pytest.mark.parametrize("text", ["0", "0x", "0x3", "03 ", "0 3", "zz", "0x0x03", "0X03", "\uff10\uff13"])
def test_what_is_not_plain_hex_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        clarity.from_hex(text)


def test_hex_may_have_0x_before_it() -> None:
    assert clarity.from_hex("0x03") == clarity.from_hex("03") == clarity.TRUE
    assert clarity.to_hex(clarity.TRUE) == "03"


@pytest.mark.parametrize("wrapping", ["0a", "07", "08", "0b00000001", "0c000000010161"])
def test_32_levels_are_a_value_and_33_are_not(wrapping: str) -> None:
    deepest = clarity.from_hex(wrapping * 31 + "03")
    assert deepest.depth == 32
    assert clarity.to_hex(deepest) == wrapping * 31 + "03"
    with pytest.raises(DecodeError, match="nested too deep"):
        clarity.from_hex(wrapping * 32 + "03")
    with pytest.raises(EncodeError, match="nested deeper than 32 levels"):
        clarity.Some(deepest)


def test_a_million_levels_cost_no_stack() -> None:
    with pytest.raises(DecodeError, match="nested too deep") as refusal:
        clarity.decode(b"\x0a" * 1_000_000)
    assert refusal.value.offset == 32


@pytest.mark.parametrize("tag", [0x02, 0x0B, 0x0C, 0x0D, 0x0E])
def test_an_announced_length_allocates_nothing(tag: int) -> None:
    tracemalloc.start()
    with pytest.raises(DecodeError):
        clarity.decode(bytes((tag,)) + b"\xff\xff\xff\xff" + bytes(100))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_buffer_of_1_mib_just_fits() -> None:
    largest = clarity.Buffer(bytes(1024 * 1024))
    assert clarity.decode(clarity.encode(largest)) == largest
    with pytest.raises(EncodeError, match="it has 1048577 bytes, over 1 MiB"):
        clarity.Buffer(bytes(1024 * 1024 + 1))
    with pytest.raises(EncodeError, match="it takes 1048582 bytes, over 1 MiB"):
        clarity.encode(clarity.Some(largest))
    with pytest.raises(DecodeError, match="it takes 1048582 bytes, over 1 MiB"):
        clarity.decode(b"\x0a" + clarity.encode(largest))


def test_a_value_can_be_hashed_copied_and_sent_to_another_process() -> None:
    for vector in VECTORS["clarity_values"]:
        value = clarity.from_hex(vector["hex"])
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes
        assert hash(value) == hash(clarity.from_hex(vector["hex"]))


def test_an_error_comes_back_from_another_process_as_it_was() -> None:
    with pytest.raises(DecodeError) as refusal:
        clarity.from_hex("0f")
    again = pickle.loads(pickle.dumps(refusal.value))  # noqa: S301 - our own bytes
    assert isinstance(again, DecodeError)
    assert (again.what, again.offset, again.reason) == ("a value", 0, "0x0f is the type of nothing")
    assert str(again) == str(refusal.value)
