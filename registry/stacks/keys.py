"""Keys of accounts: private ones that sign, public ones from signatures, and the hashes that accounts go by."""

import re

import coincurve

from registry.stacks.authorization import (
    SINGLE_SIG_MODES,
    WITNESS_SCRIPT_MODES,
    HashMode,
    KeyEncoding,
    SingleSig,
)
from registry.stacks.c32 import encode_address
from registry.stacks.errors import DecodeError, EncodeError, SignatureError
from registry.stacks.hashes import hash160, sha256
from registry.stacks.network import Network

SECRET_LENGTH = 32
MOST_KEYS = 16
"""Of one account: a script has no shorter way to say a greater number."""

_PRIVATE_KEY = re.compile(r"([0-9a-fA-F]{64})(01)?")

# Of Bitcoin's script: pushes of a number from 1, a compressed key, an uncompressed key; and the check.
_OP_1 = 0x51
_OP_CHECKMULTISIG = b"\xae"


class PrivateKey:
    """A private key that knows in which form its public key is hashed, and never shows itself."""

    __slots__ = ("_secret", "_signers", "key_encoding", "public_key")

    def __init__(self, secret: bytes, key_encoding: KeyEncoding) -> None:
        if len(secret) != SECRET_LENGTH:
            raise DecodeError("a private key", 0, f"it has {len(secret)} bytes, not 32")
        try:
            self._secret = coincurve.PrivateKey(secret)
        except ValueError:
            raise DecodeError("a private key", 0, "it is zero or not below the order of the curve") from None
        self.key_encoding = key_encoding
        compressed = key_encoding is KeyEncoding.COMPRESSED
        self.public_key = self._secret.public_key.format(compressed=compressed)
        self._signers = {mode: key_hash(self.public_key, mode) for mode in SINGLE_SIG_MODES}

    @classmethod
    def from_hex(cls, text: str) -> "PrivateKey":
        """66 hex digits that end in 01: compressed; 64: uncompressed, which is another address."""
        match = _PRIVATE_KEY.fullmatch(text)
        if match is None:
            raise DecodeError("a private key", 0, "it is not 64 hex digits, or 66 that end in 01")
        secret, compressed = match.groups()
        return cls(bytes.fromhex(secret), KeyEncoding.COMPRESSED if compressed else KeyEncoding.UNCOMPRESSED)

    def __repr__(self) -> str:
        return f"<PrivateKey of {self.public_key.hex()}>"

    def address(self, network: Network, *, hash_mode: HashMode = HashMode.P2PKH) -> str:
        """The address of its account."""
        return self.spend(nonce=0, fee=0, hash_mode=hash_mode).address(network)

    def signer(self, hash_mode: HashMode) -> bytes:
        """The hash160 that its account goes by."""
        if hash_mode not in self._signers:
            raise EncodeError("a spending condition", f"{hash_mode.name} is for several keys")
        return self._signers[hash_mode]

    def spend(self, *, nonce: int, fee: int, hash_mode: HashMode = HashMode.P2PKH) -> SingleSig:
        """The unsigned spending condition of its account."""
        return SingleSig(
            hash_mode=hash_mode,
            signer=self.signer(hash_mode),
            nonce=nonce,
            fee=fee,
            key_encoding=self.key_encoding,
        )

    def sign_hash(self, digest: bytes) -> bytes:
        """R ‖ S ‖ V of a 32-byte hash, with the nonce of RFC 6979 and the lower S."""
        return self._secret.sign_recoverable(digest, hasher=None)


def recover_key(digest: bytes, signature: bytes, key_encoding: KeyEncoding) -> bytes:
    """The public key that made a signature R ‖ S ‖ V of a 32-byte hash."""
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as error:
        raise SignatureError("a signature", "no public key could have made it") from error
    return key.format(compressed=key_encoding is KeyEncoding.COMPRESSED)


def encode_key(compressed: bytes, key_encoding: KeyEncoding) -> bytes:
    """A public key in the form asked for, of its compressed form."""
    try:
        key = coincurve.PublicKey(compressed)
    except ValueError as error:
        raise SignatureError("a public key", "it is not on the curve") from error
    return key.format(compressed=key_encoding is KeyEncoding.COMPRESSED)


def key_address(public_key: bytes, network: Network) -> str:
    """The address of the account of a public key, in the form of it that is given."""
    return encode_address(network.single_sig, hash160(public_key))


def key_hash(public_key: bytes, hash_mode: HashMode) -> bytes:
    """The hash160 that the account of one key goes by."""
    digest = hash160(public_key)
    # A witness program of version 0: its hash in 20 bytes.
    return hash160(b"\x00\x14" + digest) if hash_mode is HashMode.P2WPKH else digest


def script_hash(public_keys: list[bytes], required: int, hash_mode: HashMode) -> bytes:
    """The hash160 that the account of several keys goes by, of which `required` must sign."""
    if not 1 <= required <= len(public_keys) <= MOST_KEYS:
        raise SignatureError("a transaction", f"no account needs {required} of {len(public_keys)} keys")
    pushes = b"".join([bytes((len(key),)) + key for key in public_keys])
    most, least = bytes((_OP_1 + len(public_keys) - 1,)), bytes((_OP_1 + required - 1,))
    script = least + pushes + most + _OP_CHECKMULTISIG
    # A witness program of version 0: its hash in 32 bytes.
    witness = b"\x00\x20" + sha256(script)
    return hash160(witness if hash_mode in WITNESS_SCRIPT_MODES else script)
