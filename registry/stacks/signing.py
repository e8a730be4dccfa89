"""The signatures of transactions.

A chain of hashes is signed: the first is of the transaction without nonces, fees and signatures; each signer adds its
own fee and nonce to it and signs; who signs after it goes on from a hash that takes the signature in. So the first hash
serves for every nonce and fee of the same transaction.
"""

from dataclasses import replace

from registry.stacks.authorization import (
    ANY_ORDER_MODES,
    SIGNATURES,
    UNCOMPRESSED,
    AuthType,
    KeyEncoding,
    MultiSig,
    SingleSig,
)
from registry.stacks.errors import EncodeError, SignatureError
from registry.stacks.hashes import sha512_256
from registry.stacks.integers import encode_u64
from registry.stacks.keys import PrivateKey, encode_key, key_address, key_hash, recover_key, script_hash
from registry.stacks.wire import Transaction

__all__ = [
    "PrivateKey",
    "SignatureError",
    "initial_sighash",
    "key_address",
    "presign_sighash",
    "recover_key",
    "sign",
    "sign_as_sponsor",
    "verify",
]

# Half the order of the curve: every signature has a twin with a greater S, which the chain refuses.
_GREATEST_S = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0


def sign(transaction: Transaction, key: PrivateKey) -> Transaction:
    """Signed by its origin; signing again with another nonce or fee replaces the signature."""
    origin = transaction.origin
    if isinstance(origin, MultiSig):
        raise EncodeError("a signature", "the origin is an account of several keys")
    start = initial_sighash(transaction)
    return replace(transaction, origin=_sign_condition(origin, start, AuthType.STANDARD, key))


def sign_as_sponsor(transaction: Transaction, key: PrivateKey, *, nonce: int, fee: int) -> Transaction:
    """Signed by its sponsor too, at the sponsor's nonce and for the fee it pays; the origin has signed before."""
    if transaction.sponsor is None:
        raise EncodeError("a sponsor's signature", "the origin has signed to pay for itself")
    start = _verify_condition(transaction.origin, initial_sighash(transaction), AuthType.STANDARD)
    sponsor = _sign_condition(key.spend(nonce=nonce, fee=fee), start, AuthType.SPONSORED, key)
    return replace(transaction, sponsor=sponsor)


def verify(transaction: Transaction) -> str:
    """The sender's address, after checking its signatures and any sponsor's; SignatureError if one is false."""
    after_origin = _verify_condition(transaction.origin, initial_sighash(transaction), AuthType.STANDARD)
    if transaction.sponsor is not None:
        _verify_condition(transaction.sponsor, after_origin, AuthType.SPONSORED)
    return transaction.sender


def initial_sighash(transaction: Transaction) -> bytes:
    """The first hash: equal for every nonce, fee and sponsor of the same transaction."""
    return sha512_256(transaction.encode_cleared())


def presign_sighash(start: bytes, auth_type: AuthType, signer: SingleSig | MultiSig) -> bytes:
    """The hash that is signed. An origin signs as STANDARD also when it is sponsored."""
    return sha512_256(start + bytes((auth_type,)) + encode_u64(signer.fee) + encode_u64(signer.nonce))


def _sign_condition(condition: SingleSig, start: bytes, auth_type: AuthType, key: PrivateKey) -> SingleSig:
    if condition.signer != key.signer(condition.hash_mode) or condition.key_encoding is not key.key_encoding:
        raise EncodeError("a signature", "the signer is not the account of this key")
    signature = key.sign_hash(presign_sighash(start, auth_type, condition))
    # V comes first in a transaction.
    return replace(condition, signature=signature[64:] + signature[:64])


def _verify_condition(condition: SingleSig | MultiSig, start: bytes, auth_type: AuthType) -> bytes:
    """Check what is signed from `start` on; the hash from which the next signer starts."""
    if isinstance(condition, MultiSig):
        signer, end = _recover_script(condition, start, auth_type)
    else:
        digest = presign_sighash(start, auth_type, condition)
        key, end = _recover_next(digest, condition.signature, condition.key_encoding)
        signer = key_hash(key, condition.hash_mode)
    if signer != condition.signer:
        raise SignatureError("a signature", "another key than the signer's made it, or it is of other bytes")
    return end


def _recover_script(condition: MultiSig, start: bytes, auth_type: AuthType) -> tuple[bytes, bytes]:
    """The account whose keys these are, and the hash from which the next signer starts."""
    keys, end = [], start
    for part in condition.fields:
        encoding = KeyEncoding.UNCOMPRESSED if part.kind in UNCOMPRESSED else KeyEncoding.COMPRESSED
        if part.kind in SIGNATURES:
            key, after = _recover_next(presign_sighash(end, auth_type, condition), part.data, encoding)
            # In any order, each signs as if it were the first.
            end = start if condition.hash_mode in ANY_ORDER_MODES else after
        else:
            key = encode_key(part.data, encoding)
        keys.append(key)
    return script_hash(keys, condition.signatures_required, condition.hash_mode), end


def _recover_next(digest: bytes, signature: bytes, key_encoding: KeyEncoding) -> tuple[bytes, bytes]:
    """The key that made a signature V ‖ R ‖ S, and the hash from which the next signer starts."""
    if int.from_bytes(signature[33:], "big") > _GREATEST_S:
        raise SignatureError("a signature", "it is the twin with the greater S")
    key = recover_key(digest, signature[1:] + signature[:1], key_encoding)
    return key, sha512_256(digest + bytes((key_encoding,)) + signature)
