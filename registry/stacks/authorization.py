"""Who lets a transaction spend, by which keys, in which order and at what fee: its spending conditions."""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from registry.stacks.c32 import encode_address
from registry.stacks.errors import EncodeError
from registry.stacks.hashes import HASH160_LENGTH
from registry.stacks.integers import refuse_beyond_u64
from registry.stacks.network import Network
from registry.stacks.reader import Reader, located

SIGNATURE_LENGTH = 65
"""V ‖ R ‖ S, V being the recovery id, 0 to 3."""

UNSIGNED = bytes(SIGNATURE_LENGTH)

PUBLIC_KEY_LENGTH = 33
U16_MAX = 2**16 - 1

_SINGLE_SIG = Struct(">B20sQQB65s")
_MULTI_SIG = Struct(">B20sQQI")


class AuthType(IntEnum):
    """Who pays the fee: the origin, or a sponsor whose condition follows the origin's."""

    STANDARD = 0x04
    SPONSORED = 0x05


class HashMode(IntEnum):
    """What the signer's hash160 is the hash of."""

    P2PKH = 0x00
    P2SH = 0x01
    P2WPKH = 0x02
    P2WSH = 0x03
    P2SH_ANY_ORDER = 0x05
    P2WSH_ANY_ORDER = 0x07


class KeyEncoding(IntEnum):
    """In which of its two forms a public key is hashed."""

    COMPRESSED = 0x00
    UNCOMPRESSED = 0x01


class FieldKind(IntEnum):
    """What a field of a multi-sig condition holds: a key, or a signature from which the key is recovered."""

    KEY_COMPRESSED = 0x00
    KEY_UNCOMPRESSED = 0x01
    SIGNATURE_COMPRESSED = 0x02
    SIGNATURE_UNCOMPRESSED = 0x03


SINGLE_SIG_MODES = (HashMode.P2PKH, HashMode.P2WPKH)
ANY_ORDER_MODES = (HashMode.P2SH_ANY_ORDER, HashMode.P2WSH_ANY_ORDER)
WITNESS_SCRIPT_MODES = (HashMode.P2WSH, HashMode.P2WSH_ANY_ORDER)
SIGNATURES = (FieldKind.SIGNATURE_COMPRESSED, FieldKind.SIGNATURE_UNCOMPRESSED)
UNCOMPRESSED = (FieldKind.KEY_UNCOMPRESSED, FieldKind.SIGNATURE_UNCOMPRESSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingCondition:
    """What every spending condition has: whose account, at which nonce, for which whole fee in micro-STX."""

    hash_mode: HashMode
    signer: bytes
    nonce: int
    fee: int

    def __post_init__(self) -> None:
        if len(self.signer) != HASH160_LENGTH:
            raise EncodeError("a signer", f"its hash has {len(self.signer)} bytes, not 20")
        refuse_beyond_u64("a nonce", self.nonce)
        refuse_beyond_u64("a fee", self.fee)

    def address(self, network: Network) -> str:
        """Whose account it says it is; that the signatures agree, `signing.verify` finds out."""
        single = self.hash_mode is HashMode.P2PKH
        return encode_address(network.single_sig if single else network.multi_sig, self.signer)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSig(SpendingCondition):
    """One key, one signature."""

    key_encoding: KeyEncoding = KeyEncoding.COMPRESSED
    signature: bytes = UNSIGNED

    def __post_init__(self) -> None:
        # Not super(): it does not know the class that slots=True makes in place of this one.
        SpendingCondition.__post_init__(self)
        if self.hash_mode not in SINGLE_SIG_MODES:
            raise EncodeError("a spending condition", f"{self.hash_mode.name} is for several keys")
        if self.hash_mode is HashMode.P2WPKH and self.key_encoding is not KeyEncoding.COMPRESSED:
            raise EncodeError("a spending condition", "P2WPKH takes compressed keys only")
        if len(self.signature) != SIGNATURE_LENGTH:
            raise EncodeError("a signature", f"it has {len(self.signature)} bytes, not 65")

    def encode(self) -> bytes:
        """Hash mode, signer, nonce, fee, key encoding and signature."""
        return _SINGLE_SIG.pack(self.hash_mode, self.signer, self.nonce, self.fee, self.key_encoding, self.signature)

    def encode_cleared(self) -> bytes:
        """The same without nonce, fee and signature, as the first hash takes it."""
        return _SINGLE_SIG.pack(self.hash_mode, self.signer, 0, 0, self.key_encoding, UNSIGNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthField:
    """A public key, always written in its compressed form, or a signature, of a multi-sig condition."""

    kind: FieldKind
    data: bytes

    def __post_init__(self) -> None:
        if self.kind in SIGNATURES:
            if len(self.data) != SIGNATURE_LENGTH:
                raise EncodeError("a signature", f"it has {len(self.data)} bytes, not 65")
        elif len(self.data) != PUBLIC_KEY_LENGTH or self.data[0] not in (2, 3):
            raise EncodeError("a public key", "it is not 33 bytes that begin with 02 or 03")

    def encode(self) -> bytes:
        """The kind and the key or signature."""
        return bytes((self.kind,)) + self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiSig(SpendingCondition):
    """Several keys, of which some have signed."""

    fields: tuple[AuthField, ...]
    signatures_required: int

    def __post_init__(self) -> None:
        SpendingCondition.__post_init__(self)
        if self.hash_mode in SINGLE_SIG_MODES:
            raise EncodeError("a spending condition", f"{self.hash_mode.name} is for one key")
        if not 0 <= self.signatures_required <= U16_MAX:
            raise EncodeError("a spending condition", "the signatures it requires do not fit 16 bits")
        given = sum(part.kind in SIGNATURES for part in self.fields)
        missing = self.signatures_required - given
        if missing > 0 or (missing < 0 and self.hash_mode not in ANY_ORDER_MODES):
            raise EncodeError(
                "a spending condition", f"it requires {self.signatures_required} signatures and has {given}"
            )
        if self.hash_mode in WITNESS_SCRIPT_MODES and any(part.kind in UNCOMPRESSED for part in self.fields):
            raise EncodeError("a spending condition", f"{self.hash_mode.name} takes compressed keys only")

    def encode(self) -> bytes:
        """Hash mode, signer, nonce, fee, fields and the number of signatures required."""
        head = _MULTI_SIG.pack(self.hash_mode, self.signer, self.nonce, self.fee, len(self.fields))
        fields = b"".join([part.encode() for part in self.fields])
        return head + fields + self.signatures_required.to_bytes(2, "big")

    def encode_cleared(self) -> bytes:
        """The same without nonce, fee and fields, as the first hash takes it."""
        head = _MULTI_SIG.pack(self.hash_mode, self.signer, 0, 0, 0)
        return head + self.signatures_required.to_bytes(2, "big")


AWAITED_SPONSOR = SingleSig(hash_mode=HashMode.P2PKH, signer=bytes(HASH160_LENGTH), nonce=0, fee=0)
"""Stands for a sponsor in what the origin signs, who does not know it yet."""


@located
def read_spending_condition(reader: Reader) -> SingleSig | MultiSig:
    """The next spending condition."""
    hash_mode = reader.member(HashMode, "a hash mode")
    signer = reader.take(HASH160_LENGTH, "a signer")
    nonce = reader.uint(8, "a nonce")
    fee = reader.uint(8, "a fee")
    if hash_mode in SINGLE_SIG_MODES:
        return SingleSig(
            hash_mode=hash_mode,
            signer=signer,
            nonce=nonce,
            fee=fee,
            key_encoding=reader.member(KeyEncoding, "a key encoding"),
            signature=reader.take(SIGNATURE_LENGTH, "a signature"),
        )
    return MultiSig(
        hash_mode=hash_mode,
        signer=signer,
        nonce=nonce,
        fee=fee,
        fields=tuple([_read_field(reader) for _ in range(reader.count("the keys and signatures"))]),
        signatures_required=reader.uint(2, "the number of signatures required"),
    )


@located
def _read_field(reader: Reader) -> AuthField:
    kind = reader.member(FieldKind, "a key or signature")
    length = SIGNATURE_LENGTH if kind in SIGNATURES else PUBLIC_KEY_LENGTH
    return AuthField(kind=kind, data=reader.take(length, "a key or signature"))
