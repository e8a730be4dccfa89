"""What wallets sign that is not a transaction: text, and structured data after SIP-018.

Signatures are R ‖ S ‖ V here, as wallets give them and Clarity's `secp256k1-recover?` takes them; in a transaction they
are V ‖ R ‖ S.
"""

from registry.stacks.authorization import KeyEncoding
from registry.stacks.containers import Tuple
from registry.stacks.errors import EncodeError, SignatureError
from registry.stacks.hashes import sha256
from registry.stacks.keys import PrivateKey, recover_key
from registry.stacks.values import Value

_TEXT_PREFIX = b"\x17Stacks Signed Message:\n"
_STRUCTURED_PREFIX = b"SIP018"

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of the curve: S and the order less S sign the same."""

_COMPACT_SIZES = ((0xFD, b"", 1), (2**16, b"\xfd", 2), (2**32, b"\xfe", 4), (2**64, b"\xff", 8))


def sign(text: str, key: PrivateKey) -> bytes:
    """The signature of a text, as `stx_signMessage` gives it."""
    return key.sign_hash(text_hash(text))


def recover(text: str, signature: bytes) -> bytes:
    """The compressed public key that signed a text; SignatureError if there is none.

    Any 65 bytes may well name some key: compare it with the one expected. Nothing binds the text to a site or a
    time unless the text says so.
    """
    return recover_key(text_hash(text), signature, KeyEncoding.COMPRESSED)


def sign_structured(domain: Tuple, message: Value, key: PrivateKey) -> bytes:
    """The signature of a message in a domain, as `stx_signStructuredMessage` gives it."""
    return key.sign_hash(structured_hash(domain, message))


def recover_structured(domain: Tuple, message: Value, signature: bytes) -> bytes:
    """The compressed public key that signed a message in a domain; SignatureError if there is none."""
    return recover_key(structured_hash(domain, message), signature, KeyEncoding.COMPRESSED)


def require_lower(signature: bytes) -> None:
    """Refuse R ‖ S ‖ V with the higher S, which no wallet makes: SignatureError. Others could make it of the lower."""
    if int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        raise SignatureError("a signature", "its S is the higher of two")


def text_hash(text: str) -> bytes:
    """What is signed of a text: 32 bytes."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise EncodeError("a text", f"character {error.start} is half a surrogate pair") from error
    return sha256(_TEXT_PREFIX + _compact_size(len(encoded)) + encoded)


def structured_hash(domain: Tuple, message: Value) -> bytes:
    """What is signed of a message in a domain, which has a name, a version and a chain-id: 32 bytes."""
    return sha256(_STRUCTURED_PREFIX + sha256(domain.encode()) + sha256(message.encode()))


def _compact_size(length: int) -> bytes:
    """A length in Bitcoin's way: 1 byte, or a mark and 2, 4 or 8 bytes, little-endian."""
    mark, size = next((mark, size) for limit, mark, size in _COMPACT_SIZES if length < limit)
    return mark + length.to_bytes(size, "little")
