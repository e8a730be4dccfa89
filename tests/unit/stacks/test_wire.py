"""Transactions as bytes and back, against vectors of stacks.js; and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from registry.stacks import clarity
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.wire import (
    TESTNET,
    AuthField,
    ContractCall,
    FieldKind,
    HashMode,
    KeyEncoding,
    MultiSig,
    Network,
    SingleSig,
    SmartContract,
    TokenTransfer,
    Transaction,
    TransactionVersion,
)

VECTORS_PATH = Path(__file__).parents[2] / "vectors"
VECTORS: dict[str, Any] = json.loads((VECTORS_PATH / "stacks_vectors.json").read_text())
MULTISIG: dict[str, Any] = json.loads((VECTORS_PATH / "multisig_vectors.json").read_text())
TRANSACTIONS = {vector["id"]: vector for vector in [*VECTORS["transactions"], *MULTISIG["transactions"]]}

CALL = bytes.fromhex(TRANSACTIONS["cc-03-register"]["raw"])
TRANSFER = bytes.fromhex(TRANSACTIONS["tt-31-simple"]["raw"])
SPONSORED = bytes.fromhex(TRANSACTIONS["sp-37-sponsored"]["raw"])
MULTI = bytes.fromhex(TRANSACTIONS["p2sh-2of3"]["raw"])
CONTRACT = clarity.ContractPrincipal.parse("ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM.policy-registry")
SIGNER = bytes(20)
UNSIGNED = SingleSig(hash_mode=HashMode.P2PKH, signer=SIGNER, nonce=0, fee=0)

# Where the parts of a transaction of one key begin.
ANCHOR_MODE = 110
CONDITION_COUNT = 112
PAYLOAD = 116

transactions = pytest.mark.parametrize("vector", TRANSACTIONS.values(), ids=TRANSACTIONS.keys())


def with_bytes(data: bytes, offset: int, text: str) -> bytes:
    """The same data with other bytes at an offset."""
    new = bytes.fromhex(text)
    return data[:offset] + new + data[offset + len(new) :]


@transactions
def test_a_transaction_is_its_bytes_and_its_txid(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["raw"])
    transaction = Transaction.decode(data)
    assert transaction.encode() == data
    assert transaction.txid == vector["txid"]
    assert transaction.sender == vector["sender"]


@pytest.mark.parametrize("vector", VECTORS["transactions"], ids=lambda vector: vector["id"])
def test_a_transaction_says_what_it_does(vector: dict[str, Any]) -> None:
    transaction = Transaction.decode(bytes.fromhex(vector["raw"]))
    payload = transaction.payload
    assert payload.encode().hex() == vector["payload_hex"]
    assert transaction.post_condition_mode.name.lower() == vector["post_condition_mode"]
    match payload:
        case ContractCall():
            assert (str(payload.contract), payload.function) == (vector["contract"], vector["function"])
            assert [argument.to_json() for argument in payload.arguments] == vector["args"]
        case TokenTransfer():
            assert (str(payload.recipient), payload.amount) == (vector["recipient"], int(vector["amount"]))
            assert payload.memo.decode() == vector["memo"]
        case SmartContract():
            assert payload.encode().hex() == vector["payload_hex"]


@transactions
def test_a_transaction_cut_short_says_where(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["raw"])
    for length in range(len(data)):
        with pytest.raises(DecodeError) as refusal:
            Transaction.decode(data[:length])
        assert 0 <= refusal.value.offset <= length


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (with_bytes(CALL, 0, "01"), 0, "0x01 is none of 0x00, 0x80"),
        (with_bytes(CALL, 0, "81"), 0, "0x81 is none of 0x00, 0x80"),
        (with_bytes(CALL, 5, "06"), 5, "0x06 is none of 0x04, 0x05"),
        (with_bytes(CALL, 6, "04"), 6, "0x04 is none of"),
        (with_bytes(CALL, 43, "02"), 43, "0x02 is none of 0x00, 0x01"),
        (with_bytes(with_bytes(CALL, 43, "01"), 6, "02"), 6, "P2WPKH takes compressed keys only"),
        (with_bytes(CALL, ANCHOR_MODE - 1, "0000"), ANCHOR_MODE - 1, "0x00 is none of 0x01, 0x02, 0x03"),
        (with_bytes(CALL, ANCHOR_MODE, "04"), ANCHOR_MODE, "0x04 is none of 0x01, 0x02, 0x03"),
        (with_bytes(CALL, CONDITION_COUNT - 1, "ffffffff"), CONDITION_COUNT - 1, "it announces 4294967295 items"),
        (with_bytes(CALL, PAYLOAD - 1, "04"), PAYLOAD - 1, "0x04 is none of 0x00, 0x01, 0x02, 0x06"),
        (CALL + b"\0", len(CALL), "1 bytes follow it"),
        (TRANSFER + b"\0" * 34, len(TRANSFER), "34 bytes follow it"),
        (with_bytes(TRANSFER, PAYLOAD, "09"), PAYLOAD, "it is not a principal"),
        (with_bytes(TRANSFER, PAYLOAD + 1, "20"), PAYLOAD, "its version 32 is not"),
        (SPONSORED + b"\0", len(SPONSORED), "1 bytes follow it"),
        (with_bytes(MULTI, 43, "ffffffff"), 43, "it announces 4294967295 items"),
        (with_bytes(MULTI, 47, "04"), 47, "0x04 is none of 0x00, 0x01, 0x02, 0x03"),
        (b"\x00" * (2 * 1024 * 1024 + 1), 0, "it takes 2097153 bytes, over 2 MiB"),
    ],
)
def test_what_is_no_transaction_is_refused_with_place_and_reason(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as refusal:
        Transaction.decode(data)
    assert refusal.value.offset == offset


def a_call(*arguments: clarity.Value) -> Transaction:
    payload = ContractCall(contract=CONTRACT, function="f", arguments=arguments)
    return Transaction(network=TESTNET, origin=UNSIGNED, payload=payload)


def nested(levels: int) -> clarity.Value:
    value: clarity.Value = clarity.TRUE
    for _ in range(levels - 1):
        value = clarity.Some(value)
    return value


def test_an_argument_has_16_levels_and_no_more() -> None:
    transaction = a_call(nested(16))
    assert Transaction.decode(transaction.encode()) == transaction
    with pytest.raises(EncodeError, match="deeper than the 16 levels"):
        a_call(nested(17))
    deeper = transaction.encode()[:-1] + b"\x0a\x03"
    with pytest.raises(DecodeError, match="nested too deep"):
        Transaction.decode(deeper)


def test_a_transaction_of_over_2_mib_has_no_bytes() -> None:
    largest = clarity.Buffer(bytes(1024 * 1024))
    with pytest.raises(EncodeError, match="over 2 MiB"):
        a_call(largest, largest).encode()


def test_only_miners_send_the_other_payloads() -> None:
    for kind in (3, 4, 5, 7, 8):
        with pytest.raises(DecodeError, match="cannot decode a payload at offset 115"):
            Transaction.decode(with_bytes(CALL, PAYLOAD - 1, f"{kind:02x}"))


@pytest.mark.parametrize("version", [None, 1, 2, 3, 4, 5, 6])
def test_a_deployment_may_name_its_version_of_clarity(version: int | None) -> None:
    payload = SmartContract(name="a-b_C1", code="(ok true) ;; \t~\n", clarity_version=version)
    transaction = replace(a_call(), payload=payload)
    assert Transaction.decode(transaction.encode()) == transaction
    assert payload.encode()[0] == (1 if version is None else 6)


@pytest.mark.parametrize("memo", [b"", b"x", b"\0x", b"\xff" * 34])
def test_a_memo_is_filled_up_and_cut_back(memo: bytes) -> None:
    payload = TokenTransfer(recipient=CONTRACT, amount=2**64 - 1, memo=memo)
    transaction = replace(a_call(), payload=payload)
    assert len(payload.encode()) == 1 + len(CONTRACT.encode()) + 8 + 34
    assert Transaction.decode(transaction.encode()).payload == payload


A_KEY = AuthField(kind=FieldKind.KEY_COMPRESSED, data=b"\x02" + bytes(32))
A_SIGNATURE = AuthField(kind=FieldKind.SIGNATURE_COMPRESSED, data=bytes(65))
AN_UNCOMPRESSED = AuthField(kind=FieldKind.SIGNATURE_UNCOMPRESSED, data=bytes(65))


single = partial(replace, UNSIGNED)


def multi(hash_mode: HashMode, required: int, *fields: AuthField) -> MultiSig:
    return MultiSig(hash_mode=hash_mode, signer=SIGNER, nonce=0, fee=0, fields=fields, signatures_required=required)


@pytest.mark.parametrize(
    "make",
    [
        lambda: single(signer=bytes(19)),
        lambda: single(nonce=2**64),
        lambda: single(nonce=-1),
        lambda: single(fee=2**64),
        lambda: single(fee=-1),
        lambda: single(signature=bytes(64)),
        lambda: single(hash_mode=HashMode.P2SH),
        lambda: single(hash_mode=HashMode.P2WPKH, key_encoding=KeyEncoding.UNCOMPRESSED),
        lambda: multi(HashMode.P2PKH, 0),
        lambda: multi(HashMode.P2SH, -1),
        lambda: multi(HashMode.P2SH, 2, A_SIGNATURE, A_KEY),
        lambda: multi(HashMode.P2SH, 1, A_SIGNATURE, A_SIGNATURE),
        lambda: multi(HashMode.P2SH_ANY_ORDER, 2, A_SIGNATURE, A_KEY),
        lambda: multi(HashMode.P2WSH, 1, AN_UNCOMPRESSED),
        lambda: multi(HashMode.P2WSH_ANY_ORDER, 1, AN_UNCOMPRESSED),
        lambda: AuthField(kind=FieldKind.KEY_COMPRESSED, data=b"\x04" + bytes(32)),
        lambda: AuthField(kind=FieldKind.KEY_COMPRESSED, data=b""),
        lambda: AuthField(kind=FieldKind.SIGNATURE_COMPRESSED, data=bytes(64)),
        lambda: Network(version=TransactionVersion.TESTNET, chain_id=2**32),
        lambda: TokenTransfer(recipient=CONTRACT, amount=2**64),
        lambda: TokenTransfer(recipient=CONTRACT, amount=-1),
        lambda: TokenTransfer(recipient=CONTRACT, amount=0, memo=bytes(35)),
        lambda: TokenTransfer(recipient=CONTRACT, amount=0, memo=b"x\0"),
        lambda: ContractCall(contract=CONTRACT, function=""),
        lambda: ContractCall(contract=CONTRACT, function="a" * 129),
        lambda: SmartContract(name="a" * 41, code=""),
        lambda: SmartContract(name="a", code="\r"),
        lambda: SmartContract(name="a", code="é"),
        lambda: SmartContract(name="a", code="", clarity_version=7),
        lambda: SmartContract(name="a", code="", clarity_version=0),
    ],
)
def test_a_part_without_bytes_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(EncodeError):
        make()


def test_in_any_order_more_may_sign_than_must() -> None:
    origin = multi(HashMode.P2SH_ANY_ORDER, 1, A_SIGNATURE, A_KEY, AN_UNCOMPRESSED)
    transaction = replace(a_call(), origin=origin)
    assert Transaction.decode(transaction.encode()) == transaction


@pytest.mark.parametrize("sponsored", [False, True])
def test_what_is_cleared_keeps_who_and_drops_nonce_fee_and_signature(*, sponsored: bool) -> None:
    origin = single(nonce=7, fee=8, signature=b"\x01" * 65)
    transaction = replace(a_call(), origin=origin, sponsor=origin if sponsored else None)
    cleared = Transaction.decode(transaction.encode_cleared())
    assert cleared.origin == UNSIGNED
    assert cleared.sponsor == (UNSIGNED if sponsored else None)
    assert cleared.payload == transaction.payload
