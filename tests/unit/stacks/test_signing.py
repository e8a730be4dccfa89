"""Signatures of transactions, against vectors of stacks.js; and what is found out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.stacks.clarity import ContractPrincipal, UInt
from registry.stacks.errors import DecodeError, EncodeError, SignatureError
from registry.stacks.signing import (
    PrivateKey,
    initial_sighash,
    key_address,
    presign_sighash,
    sign,
    sign_as_sponsor,
    verify,
)
from registry.stacks.wire import (
    AWAITED_SPONSOR,
    MAINNET,
    TESTNET,
    AuthField,
    AuthType,
    ContractCall,
    FieldKind,
    HashMode,
    KeyEncoding,
    MultiSig,
    SingleSig,
    Transaction,
)

VECTORS_PATH = Path(__file__).parents[2] / "vectors"
VECTORS: dict[str, Any] = json.loads((VECTORS_PATH / "stacks_vectors.json").read_text())
MULTISIG: dict[str, Any] = json.loads((VECTORS_PATH / "multisig_vectors.json").read_text())
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
KEY = PrivateKey.from_hex("753b7cc01a1a2e86221266a154af739463fce51219d97e4f856cd7200c3bd2a601")
OTHER_KEY = PrivateKey.from_hex("7287ba251d44a4d3fd9276c88ce34c5c52a038955511cccaf77e61068649c17801")
CALL = ContractCall(
    contract=ContractPrincipal.parse("ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM.policy-registry"),
    function="update-policy-status",
    arguments=(UInt(7), UInt(2)),
)

transactions = pytest.mark.parametrize("vector", VECTORS["transactions"], ids=lambda vector: vector["id"])
multisigs = pytest.mark.parametrize("vector", MULTISIG["transactions"], ids=lambda vector: vector["id"])


def decoded(vector: dict[str, Any]) -> Transaction:
    return Transaction.decode(bytes.fromhex(vector["raw"]))


def a_call(*, key: PrivateKey = KEY, nonce: int = 3, fee: int = 3000) -> Transaction:
    return Transaction(network=TESTNET, origin=key.spend(nonce=nonce, fee=fee), payload=CALL)


def unsigned(vector: dict[str, Any]) -> Transaction:
    """The vector's transaction before anyone signed it, for its own key."""
    transaction = decoded(vector)
    origin = PrivateKey.from_hex(vector["privkey"]).spend(
        nonce=int(vector["nonce"]), fee=int(vector["fee"]), hash_mode=transaction.origin.hash_mode
    )
    return replace(transaction, origin=origin, sponsor=AWAITED_SPONSOR if transaction.sponsor is not None else None)


@transactions
def test_signing_gives_the_bytes_of_stacks_js(vector: dict[str, Any]) -> None:
    signed = sign(unsigned(vector), PrivateKey.from_hex(vector["privkey"]))
    if signed.sponsor is not None:
        key = PrivateKey.from_hex(vector["sponsor_privkey"])
        nonce, fee = int(vector["sponsor_nonce"]), int(vector["sponsor_fee"])
        signed = sign_as_sponsor(signed, key, nonce=nonce, fee=fee)
    assert signed.encode().hex() == vector["raw"]
    assert signed.txid == vector["txid"]


@transactions
def test_the_hashes_on_the_way_are_those_of_stacks_js(vector: dict[str, Any]) -> None:
    transaction = unsigned(vector)
    start = initial_sighash(transaction)
    assert start.hex() == vector["initial_sighash"]
    assert presign_sighash(start, AuthType.STANDARD, transaction.origin).hex() == vector["presign_sighash"]


@transactions
def test_a_signature_names_the_sender(vector: dict[str, Any]) -> None:
    assert verify(decoded(vector)) == vector["sender"]


@multisigs
def test_the_signatures_of_several_keys_name_their_account(vector: dict[str, Any]) -> None:
    assert verify(decoded(vector)) == vector["sender"]


@multisigs
def test_a_false_signature_among_several_is_found(vector: dict[str, Any]) -> None:
    transaction = decoded(vector)
    with pytest.raises(SignatureError):
        verify(replace(transaction, origin=replace(transaction.origin, nonce=transaction.origin.nonce + 1)))


def test_an_account_of_several_keys_cannot_be_signed_for_with_one() -> None:
    with pytest.raises(EncodeError, match="an account of several keys"):
        sign(decoded(MULTISIG["transactions"][0]), KEY)


def test_a_key_off_the_curve_is_in_no_account() -> None:
    transaction = decoded(MULTISIG["transactions"][0])
    assert isinstance(transaction.origin, MultiSig)
    off_the_curve = AuthField(kind=FieldKind.KEY_COMPRESSED, data=b"\x02" + b"\xff" * 32)
    origin = replace(transaction.origin, fields=(*transaction.origin.fields[:2], off_the_curve))
    with pytest.raises(SignatureError, match="it is not on the curve"):
        verify(replace(transaction, origin=origin))


def test_no_account_needs_no_signature() -> None:
    origin = MultiSig(hash_mode=HashMode.P2SH, signer=bytes(20), nonce=0, fee=0, fields=(), signatures_required=0)
    with pytest.raises(SignatureError, match="no account needs 0 of 0 keys"):
        verify(replace(a_call(), origin=origin))


def test_whatever_is_changed_after_signing_is_found() -> None:
    signed = sign(a_call(), KEY)
    assert verify(signed) == KEY.address(TESTNET)
    changed = [
        replace(signed, network=MAINNET),
        replace(signed, payload=replace(CALL, arguments=(UInt(8), UInt(2)))),
        replace(signed, sponsor=AWAITED_SPONSOR),
        replace(signed, origin=replace(signed.origin, nonce=4)),
        replace(signed, origin=replace(signed.origin, fee=3001)),
        replace(signed, origin=replace(signed.origin, signer=OTHER_KEY.spend(nonce=0, fee=0).signer)),
    ]
    for transaction in changed:
        with pytest.raises(SignatureError):
            verify(transaction)


def test_every_bit_of_a_signature_counts() -> None:
    signed = sign(a_call(), KEY)
    assert isinstance(signed.origin, SingleSig)
    for bit in range(8 * 65):
        flipped = (int.from_bytes(signed.origin.signature, "big") ^ 1 << bit).to_bytes(65, "big")
        with pytest.raises(SignatureError):
            verify(replace(signed, origin=replace(signed.origin, signature=flipped)))


def test_an_unsigned_transaction_names_nobody() -> None:
    with pytest.raises(SignatureError, match="no public key could have made it"):
        verify(a_call())


def test_the_twin_with_the_greater_s_is_refused() -> None:
    signed = sign(a_call(), KEY)
    assert isinstance(signed.origin, SingleSig)
    signature = signed.origin.signature
    greater = ORDER - int.from_bytes(signature[33:], "big")
    twin = bytes((signature[0] ^ 1,)) + signature[1:33] + greater.to_bytes(32, "big")
    with pytest.raises(SignatureError, match="the twin with the greater S"):
        verify(replace(signed, origin=replace(signed.origin, signature=twin)))


def test_a_greater_fee_needs_a_new_signature_over_the_same_first_hash() -> None:
    first, second = sign(a_call(fee=3000), KEY), sign(a_call(fee=4000), KEY)
    assert initial_sighash(first) == initial_sighash(second)
    assert first.txid != second.txid
    assert sign(replace(first, origin=replace(first.origin, fee=4000)), KEY) == second


def test_only_its_own_key_signs_an_account() -> None:
    uncompressed = PrivateKey.from_hex("753b7cc01a1a2e86221266a154af739463fce51219d97e4f856cd7200c3bd2a6")
    for key in (OTHER_KEY, uncompressed):
        with pytest.raises(EncodeError, match="the signer is not the account of this key"):
            sign(a_call(key=KEY), key)


def test_one_key_is_no_account_of_several() -> None:
    with pytest.raises(EncodeError, match="P2SH is for several keys"):
        KEY.spend(nonce=0, fee=0, hash_mode=HashMode.P2SH)


def test_a_sponsor_signs_only_what_awaits_one_and_the_origin_has_signed() -> None:
    with pytest.raises(EncodeError, match="the origin has signed to pay for itself"):
        sign_as_sponsor(sign(a_call(), KEY), OTHER_KEY, nonce=0, fee=1)
    with pytest.raises(SignatureError):
        sign_as_sponsor(replace(a_call(), sponsor=AWAITED_SPONSOR), OTHER_KEY, nonce=0, fee=1)


def test_a_false_sponsor_is_found() -> None:
    origin_signed = sign(replace(a_call(fee=0), sponsor=AWAITED_SPONSOR), KEY)
    with pytest.raises(SignatureError):
        verify(origin_signed)
    signed = sign_as_sponsor(origin_signed, OTHER_KEY, nonce=1, fee=500)
    assert verify(signed) == KEY.address(TESTNET)
    assert signed.sponsor is not None
    with pytest.raises(SignatureError):
        verify(replace(signed, sponsor=replace(signed.sponsor, fee=501)))


@pytest.mark.parametrize("vector", VECTORS["keys"], ids=lambda vector: vector["mainnet"])
def test_a_key_has_an_address_on_each_network(vector: dict[str, Any]) -> None:
    key = PrivateKey.from_hex(vector["privkey"])
    assert key.public_key.hex() == vector["pubkey"]
    assert (key.address(MAINNET), key.address(TESTNET)) == (vector["mainnet"], vector["testnet"])
    assert key_address(key.public_key, TESTNET) == vector["testnet"]


def test_without_01_a_key_is_uncompressed_and_another_account() -> None:
    text = "753b7cc01a1a2e86221266a154af739463fce51219d97e4f856cd7200c3bd2a6"
    uncompressed = PrivateKey.from_hex(text)
    assert len(uncompressed.public_key) == 65
    assert uncompressed.address(TESTNET) != PrivateKey.from_hex(text + "01").address(TESTNET)
    with pytest.raises(EncodeError, match="P2WPKH takes compressed keys only"):
        uncompressed.spend(nonce=0, fee=0, hash_mode=HashMode.P2WPKH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "75" * 31,
        "75" * 32 + "00",
        "75" * 32 + "02",
        "75" * 32 + "01\n",
        "75" * 34,
        "0x" + "75" * 32,
        "zz" * 32,
        "00" * 32 + "01",
        f"{ORDER:064x}01",
    ],
)
def test_what_is_no_private_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(DecodeError) as refusal:
        PrivateKey.from_hex(text)
    error: BaseException | None = refusal.value
    assert text == "" or text not in str(error)
    assert error is not None
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_has_32_bytes(length: int) -> None:
    with pytest.raises(DecodeError, match=f"it has {length} bytes, not 32"):
        PrivateKey(b"\x01".rjust(length, b"\0") if length else b"", KeyEncoding.COMPRESSED)


def test_a_private_key_never_shows_itself() -> None:
    digits = "753b7cc01a1a2e86221266a154af739463fce51219d97e4f856cd7200c3bd2a6"
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{[KEY]}"):
        assert digits not in shown
        assert KEY.public_key.hex() in shown
