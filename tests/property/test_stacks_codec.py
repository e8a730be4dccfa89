"""The codec over all it may meet: what has bytes comes back from them, and no bytes but those come in."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.stacks import c32, clarity, messages, signing
from registry.stacks.errors import DecodeError
from registry.stacks.postconditions import read_post_condition
from registry.stacks.reader import Reader
from registry.stacks.wire import (
    AWAITED_SPONSOR,
    ORIGIN,
    AnchorMode,
    Asset,
    AuthField,
    Condition,
    ContractCall,
    FieldKind,
    FungiblePostCondition,
    HashMode,
    KeyEncoding,
    MultiSig,
    Network,
    NftCondition,
    NonFungiblePostCondition,
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

VECTORS_PATH = Path(__file__).parents[1] / "vectors"
VECTORS: dict[str, Any] = json.loads((VECTORS_PATH / "stacks_vectors.json").read_text())
MULTISIG: dict[str, Any] = json.loads((VECTORS_PATH / "multisig_vectors.json").read_text())

u64s = st.integers(min_value=0, max_value=2**64 - 1)
hashes160 = st.binary(min_size=20, max_size=20)
signatures = st.binary(min_size=65, max_size=65)
contract_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,39}", fullmatch=True)
clarity_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_!?+<>=/*-]{0,20}|[-+=/*]|[<>]=?", fullmatch=True)
code = st.text(st.sampled_from("\t\n" + "".join(map(chr, range(32, 127)))))

accounts = st.builds(clarity.StandardPrincipal, version=st.integers(0, 31), hash160=hashes160)
contracts = st.builds(clarity.ContractPrincipal, deployer=accounts, name=contract_names)
leaves = st.one_of(
    st.integers(-(2**127), 2**127 - 1).map(clarity.Int),
    st.integers(0, 2**128 - 1).map(clarity.UInt),
    st.sampled_from([clarity.TRUE, clarity.FALSE, clarity.NONE]),
    st.binary().map(clarity.Buffer),
    st.text(st.sampled_from("\t\n\f\r" + "".join(map(chr, range(32, 127))))).map(clarity.StringAscii),
    st.text().map(clarity.StringUtf8),
    accounts,
    contracts,
)


def containers(inner: st.SearchStrategy[clarity.Value]) -> st.SearchStrategy[clarity.Value]:
    return st.one_of(
        inner.map(clarity.Some),
        inner.map(clarity.Ok),
        inner.map(clarity.Err),
        st.lists(inner).map(clarity.List),
        st.dictionaries(clarity_names, inner, min_size=1).map(clarity.Tuple),
    )


values: st.SearchStrategy[clarity.Value] = st.recursive(leaves, containers, max_leaves=8)

holders = st.one_of(st.just(ORIGIN), accounts, contracts)
assets = st.builds(Asset, contract=contracts, name=clarity_names)
amounts_on: dict[str, Any] = {"holder": holders, "condition": st.sampled_from(Condition), "amount": u64s}
nft_conditions = st.sampled_from(NftCondition)
post_conditions: st.SearchStrategy[PostCondition] = st.one_of(
    st.builds(StxPostCondition, **amounts_on),
    st.builds(FungiblePostCondition, asset=assets, **amounts_on),
    st.builds(NonFungiblePostCondition, holder=holders, asset=assets, asset_id=values, condition=nft_conditions),
    st.builds(StakingPostCondition, **amounts_on),
    st.builds(PoxPostCondition, holder=holders, condition=st.sampled_from(PoxCondition)),
)


@st.composite
def multisigs(draw: st.DrawFn) -> MultiSig:
    keys = st.builds(
        AuthField,
        kind=st.just(FieldKind.KEY_COMPRESSED),
        data=st.binary(min_size=32, max_size=32).map(b"\x03".__add__),
    )
    signed = st.builds(AuthField, kind=st.just(FieldKind.SIGNATURE_COMPRESSED), data=signatures)
    fields = tuple(draw(st.lists(keys | signed, max_size=5)))
    return MultiSig(
        hash_mode=draw(st.sampled_from([mode for mode in HashMode if mode % 2])),
        signer=draw(hashes160),
        nonce=draw(u64s),
        fee=draw(u64s),
        fields=fields,
        signatures_required=sum(part.kind is FieldKind.SIGNATURE_COMPRESSED for part in fields),
    )


conditions: dict[str, Any] = {"signer": hashes160, "nonce": u64s, "fee": u64s, "signature": signatures}
spending_conditions = st.one_of(
    st.builds(SingleSig, hash_mode=st.just(HashMode.P2PKH), key_encoding=st.sampled_from(KeyEncoding), **conditions),
    st.builds(SingleSig, hash_mode=st.just(HashMode.P2WPKH), **conditions),
    multisigs(),
)
payloads = st.one_of(
    st.builds(
        TokenTransfer,
        recipient=accounts | contracts,
        amount=u64s,
        memo=st.binary(max_size=34).map(lambda memo: memo.rstrip(b"\0")),
    ),
    st.builds(
        ContractCall, contract=contracts, function=clarity_names, arguments=st.lists(values, max_size=4).map(tuple)
    ),
    st.builds(SmartContract, name=contract_names, code=code, clarity_version=st.none() | st.integers(1, 6)),
)
transactions = st.builds(
    Transaction,
    network=st.builds(Network, version=st.sampled_from(TransactionVersion), chain_id=st.integers(0, 2**32 - 1)),
    origin=spending_conditions,
    sponsor=st.none() | spending_conditions,
    anchor_mode=st.sampled_from(AnchorMode),
    post_condition_mode=st.sampled_from(PostConditionMode),
    post_conditions=st.lists(post_conditions, max_size=3).map(tuple),
    payload=payloads,
)
keys = st.builds(
    signing.PrivateKey,
    st.integers(1, 2**255).map(lambda secret: secret.to_bytes(32, "big")),
    st.sampled_from(KeyEncoding),
)


@given(version=st.integers(0, 31), zeros=st.integers(0, 20), hash160=hashes160)
def test_every_version_and_hash_has_one_address(version: int, zeros: int, hash160: bytes) -> None:
    hash160 = bytes(zeros) + hash160[zeros:]
    address = c32.encode_address(version, hash160)
    assert c32.decode_address(address) == (version, hash160)
    assert 28 <= len(address) <= 41


@given(values)
def test_every_value_comes_back_from_its_bytes(value: clarity.Value) -> None:
    assert clarity.decode(clarity.encode(value)) == value
    assert json.loads(json.dumps(value.to_json())) == value.to_json()


@given(post_conditions)
def test_every_post_condition_comes_back_from_its_bytes(condition: PostCondition) -> None:
    reader = Reader(condition.encode())
    assert read_post_condition(reader) == condition
    reader.finish("a post-condition")


@given(transactions)
def test_every_transaction_comes_back_from_its_bytes(transaction: Transaction) -> None:
    again = Transaction.decode(transaction.encode())
    assert again == transaction
    assert again.txid == transaction.txid


@given(transactions, keys, keys, u64s, u64s)
def test_whatever_is_signed_names_its_signer(
    transaction: Transaction, key: signing.PrivateKey, sponsor: signing.PrivateKey, nonce: int, fee: int
) -> None:
    unsigned = replace(transaction, origin=key.spend(nonce=nonce, fee=fee), sponsor=None)
    assert signing.verify(signing.sign(unsigned, key)) == key.address(transaction.network)
    awaiting = signing.sign(replace(unsigned, sponsor=AWAITED_SPONSOR), key)
    sponsored = signing.sign_as_sponsor(awaiting, sponsor, nonce=fee, fee=nonce)
    assert signing.verify(Transaction.decode(sponsored.encode())) == key.address(transaction.network)


@given(st.text(), keys)
def test_whoever_signs_a_text_is_recovered(text: str, key: signing.PrivateKey) -> None:
    recovered = messages.recover(text, messages.sign(text, key))
    assert recovered[1:] == key.public_key[1:33]


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes with one to three things done to them: a byte set, a piece cut, doubled, or put in from nowhere."""
    chance, changed = random.Random(seed), bytearray(data)  # noqa: S311 - not for secrets
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, len(changed))
        stop = min(len(changed), start + chance.choice((0, 1, 1, 4, 16)))
        piece = changed[start:stop]
        changed[start:stop] = chance.choice(
            (
                bytes((chance.randrange(16),)),
                chance.randbytes(len(piece)),
                b"",
                piece + piece,
                piece[::-1],
                b"\xff" * len(piece),
            )
        )
    return bytes(changed)


def decodes_only_what_encodes_back(data: bytes, decode: Any) -> bool:
    """Whether these are the bytes of something; anything but that or a refusal with a place fails the test."""
    try:
        decoded = decode(data)
    except DecodeError as error:
        refusal = error
    else:
        assert decoded.encode() == data
        return True
    assert 0 <= refusal.offset <= len(data)
    return False


seeds = st.integers(0, 2**64)


@given(values, seeds)
def test_mutated_values_are_themselves_or_refused(value: clarity.Value, seed: int) -> None:
    decodes_only_what_encodes_back(mutated(value.encode(), seed), clarity.decode)


@given(transactions, seeds)
def test_mutated_transactions_are_themselves_or_refused(transaction: Transaction, seed: int) -> None:
    decodes_only_what_encodes_back(mutated(transaction.encode(), seed), Transaction.decode)


@given(st.lists(st.sampled_from(range(16)) | st.integers(0, 255)).map(bytes))
def test_bytes_from_nowhere_are_a_value_or_refused(data: bytes) -> None:
    decodes_only_what_encodes_back(data, clarity.decode)


@pytest.mark.parametrize("vector", [*VECTORS["transactions"], *MULTISIG["transactions"]], ids=lambda v: v["id"])
def test_mutated_vectors_are_themselves_or_refused(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["raw"])
    refused = [
        seed for seed in range(200) if not decodes_only_what_encodes_back(mutated(data, seed), Transaction.decode)
    ]
    assert refused
