"""Keys of one purpose, the newest first: the first signs, and what any of them signed is taken."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

ID_BYTES = 8
MAC_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Keys of 32 bytes each. There are several while a new one takes an old one's place."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def derived(cls, secrets: Sequence[bytes], *, purpose: str) -> "KeyRing":
        """Make the keys of a purpose from secrets: keys of two purposes say nothing of each other."""
        label = f"policy-registry/{purpose}".encode()
        return cls(keys=tuple(hmac.digest(secret, label, "sha256") for secret in secrets))

    @property
    def newest(self) -> bytes:
        """The key that signs."""
        return self.keys[0]

    def named(self, name: object) -> bytes | None:
        """The key that goes by a name; None if there is none, or none any more."""
        return next((key for key in self.keys if key_name(key) == name), None)

    def mac(self, message: bytes) -> bytes:
        """Sign a message with the newest key: 16 bytes."""
        return _mac(self.newest, message)

    def has_signed(self, message: bytes, mac: bytes) -> bool:
        """Whether a MAC is that of one of the keys; how long that takes says nothing of how nearly."""
        signed = False
        for key in self.keys:
            signed |= hmac.compare_digest(_mac(key, message), mac)
        return signed


def key_name(key: bytes) -> str:
    """What a key goes by in public: the beginning of a digest, in hex."""
    return hashlib.sha256(key).hexdigest()[: 2 * ID_BYTES]


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:MAC_BYTES]
