"""Signatures of texts, structured messages and quotes, against vectors of stacks.js and the VM."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.stacks import clarity, messages
from registry.stacks.errors import EncodeError, SignatureError
from registry.stacks.signing import PrivateKey, key_address
from registry.stacks.wire import TESTNET

VECTORS_PATH = Path(__file__).parents[2] / "vectors"
VECTORS: dict[str, Any] = json.loads((VECTORS_PATH / "stacks_vectors.json").read_text())
QUOTES: dict[str, Any] = json.loads((VECTORS_PATH / "quote_vectors.json").read_text())

texts = pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["hash"][:8])
structured = pytest.mark.parametrize("vector", VECTORS["sip018"], ids=lambda vector: vector["hash"][:8])
quotes = pytest.mark.parametrize("vector", QUOTES["vectors"], ids=lambda vector: vector["hash"][:8])


def text_of(vector: dict[str, Any]) -> str:
    # The vectors abbreviate the longest: ("x" repeated 70000).
    return "x" * 70_000 if "repeated" in vector["message"] else str(vector["message"])


def value_of(form: dict[str, Any]) -> clarity.Value:
    if form["type"] == "tuple":
        return clarity.Tuple({name: value_of(value) for name, value in form["value"].items()})
    return clarity.StringAscii(form["value"]) if form["type"] == "ascii" else clarity.UInt(int(form["value"]))


def domain_of(form: dict[str, Any]) -> clarity.Tuple:
    domain = value_of(form)
    assert isinstance(domain, clarity.Tuple)
    return domain


def quote_domain() -> clarity.Tuple:
    domain = clarity.from_hex(QUOTES["domain"])
    assert isinstance(domain, clarity.Tuple)
    return domain


@texts
def test_a_text_is_hashed_and_signed_as_wallets_do(vector: dict[str, Any]) -> None:
    text, key = text_of(vector), PrivateKey.from_hex(vector["privkey"])
    assert messages.text_hash(text).hex() == vector["hash"]
    assert messages.sign(text, key).hex() == vector["signature_rsv"]


@texts
def test_the_signer_of_a_text_is_recovered(vector: dict[str, Any]) -> None:
    public_key = messages.recover(text_of(vector), bytes.fromhex(vector["signature_rsv"]))
    assert public_key.hex() == vector["pubkey"]
    assert key_address(public_key, TESTNET) == vector["address_testnet"]


@structured
def test_a_structured_message_is_hashed_and_signed_as_wallets_do(vector: dict[str, Any]) -> None:
    domain, message = domain_of(vector["domain"]), value_of(vector["message"])
    key = PrivateKey.from_hex(vector["privkey"])
    assert messages.structured_hash(domain, message).hex() == vector["hash"]
    signature = messages.sign_structured(domain, message, key)
    assert signature.hex() == vector["signature_rsv"]
    assert messages.recover_structured(domain, message, signature).hex() == vector["pubkey"]


@quotes
def test_a_quote_is_signed_as_the_contract_checks_it(vector: dict[str, Any]) -> None:
    key = PrivateKey.from_hex(QUOTES["private_key"])
    message = clarity.from_hex(vector["message"])
    assert messages.structured_hash(quote_domain(), message).hex() == vector["hash"]
    signature = messages.sign_structured(quote_domain(), message, key)
    assert signature.hex() == vector["signature_rsv"]
    public_key = messages.recover_structured(quote_domain(), message, signature)
    assert (public_key.hex(), key_address(public_key, TESTNET)) == (QUOTES["public_key"], QUOTES["signer"])


@pytest.mark.parametrize("length", [0, 252, 253, 65_535, 65_536])
def test_a_text_of_any_length_has_its_signer(length: int) -> None:
    key = PrivateKey.from_hex(QUOTES["private_key"])
    text = "ž" * (length // 2) + "x" * (length % 2)
    assert messages.recover(text, messages.sign(text, key)) == key.public_key


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), bytes(65), bytes(66), b"\x01" * 64 + b"\x04", b"\xff" * 64 + b"\0"]
)
def test_what_is_no_signature_has_no_signer(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        messages.recover("Hello World", signature)


@texts
def test_of_the_two_signatures_of_a_text_only_the_lower_is_one_of_a_wallet(vector: dict[str, Any]) -> None:
    signature = bytes.fromhex(vector["signature_rsv"])
    messages.require_lower(signature)
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    s = order - int.from_bytes(signature[32:64], "big")
    higher = signature[:32] + s.to_bytes(32, "big") + bytes((signature[64] ^ 1,))
    assert messages.recover(text_of(vector), higher).hex() == vector["pubkey"], "it signs the same"
    with pytest.raises(SignatureError, match="higher of two"):
        messages.require_lower(higher)
    messages.require_lower(signature[:32] + (order // 2).to_bytes(32, "big") + b"\0")
    with pytest.raises(SignatureError):
        messages.require_lower(signature[:32] + (order // 2 + 1).to_bytes(32, "big") + b"\0")


def test_another_text_has_another_signer() -> None:
    vector = VECTORS["messages"][0]
    assert messages.recover("Hello World!", bytes.fromhex(vector["signature_rsv"])).hex() != vector["pubkey"]


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(EncodeError, match="character 1 is half a surrogate pair"):
        messages.text_hash("a\ud800")
