"""Random values, post-conditions and transactions, described in JSON as stacks.js names them, integers as strings."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.stacks.c32 import encode_address

JSON = dict[str, Any]

DEPTH = 4
ADDRESS_VERSIONS = (20, 21, 22, 26, 0, 31)
COMPARED = ("eq", "gt", "gte", "lt", "lte")
SENT = ("sent", "not-sent", "maybe-sent")
STACKED = ("will-not-perform", "may-perform", "will-perform")
P2PKH, P2SH, P2WPKH, P2WSH, P2SH_ANY_ORDER, P2WSH_ANY_ORDER = 0, 1, 2, 3, 5, 7
LETTERS = string.ascii_letters
ASCII = "\t\n" + "".join(map(chr, range(32, 127)))
# One to four bytes of UTF-8, without U+FEFF: at the start of a string, stacks.js loses it in reading.
UNICODE = ASCII + "\0\x7féßЖ€漢\U0001f512\U0010ffff"


@dataclass(frozen=True, slots=True)
class Cases:
    """Draws descriptions from one source of chance."""

    chance: random.Random

    def value(self, depth: int = DEPTH) -> JSON:
        kind = self.chance.choice(_LEAVES if depth == 1 else _LEAVES + _AROUND)
        content = self._content(kind, depth - 1)
        return {"type": kind} if content is None else {"type": kind, "value": content}

    def post_condition(self) -> JSON:
        kind = self.chance.choice(("stx", "ft", "nft", "staking", "pox"))
        described: JSON = {"type": f"{kind}-postcondition", "address": self.chance.choice(("origin", self.principal()))}
        if kind in ("ft", "nft"):
            described["asset"] = f"{self.contract()}::{self._name(LETTERS + string.digits + '-_!?+<>=/*', 128)}"
        if kind == "nft":
            return {**described, "condition": self.chance.choice(SENT), "assetId": self.value()}
        if kind == "pox":
            return {**described, "condition": self.chance.choice(STACKED)}
        return {**described, "condition": self.chance.choice(COMPARED), "amount": self.uint(64)}

    def transaction(self) -> JSON:
        """With one signer, sponsored or not."""
        return self._transaction(self._signer()) | {"sponsor": self.chance.choice((None, self._sponsor()))}

    def shared_transaction(self) -> JSON:
        """Of an account of several keys, the first `required` of which sign."""
        hash_mode = self.chance.choice((P2SH, P2WSH, P2SH_ANY_ORDER, P2WSH_ANY_ORDER))
        keys = [self._key(compressed=True) for _ in range(self.chance.randint(2, 4))]
        required = self.chance.randint(1, len(keys))
        return self._transaction({"keys": keys, "hashMode": hash_mode, "required": required}) | {"sponsor": None}

    def uint(self, bits: int) -> str:
        """Of any length in bits, and often the least or greatest."""
        most = 2**bits - 1
        return str(self.chance.choice((0, 1, most, self.chance.getrandbits(self.chance.randint(1, bits)))))

    def address(self) -> str:
        zeros = self.chance.choice((0, 0, 1, 5, 20))
        return encode_address(self.chance.choice(ADDRESS_VERSIONS), bytes(zeros) + self.chance.randbytes(20 - zeros))

    def contract(self) -> str:
        return f"{self.address()}.{self._name(LETTERS + string.digits + '-_', 40)}"

    def principal(self) -> str:
        return self.chance.choice((self.address(), self.contract()))

    def _transaction(self, origin: JSON) -> JSON:
        return {
            "version": self.chance.choice((0x00, 0x80)),
            "chainId": self.chance.choice((1, 0x8000_0000, self.chance.getrandbits(32))),
            "origin": {**origin, "nonce": self.uint(64), "fee": self.uint(64)},
            "anchorMode": self.chance.randint(1, 3),
            "postConditionMode": self.chance.choice(("allow", "deny", "originator")),
            "postConditions": [self.post_condition() for _ in range(self.chance.randint(0, 3))],
            "payload": self.chance.choice((self._transfer, self._call, self._deployment))(),
        }

    def _signer(self) -> JSON:
        hash_mode = self.chance.choice((P2PKH, P2WPKH))
        compressed = hash_mode == P2WPKH or self.chance.random() < 0.7
        return {"keys": [self._key(compressed=compressed)], "hashMode": hash_mode, "required": None}

    def _sponsor(self) -> JSON:
        return {
            "key": self._key(compressed=self.chance.random() < 0.7),
            "hashMode": P2PKH,
            "nonce": self.uint(64),
            "fee": self.uint(64),
        }

    def _key(self, *, compressed: bool) -> str:
        return self.chance.randrange(1, 2**255).to_bytes(32, "big").hex() + ("01" if compressed else "")

    def _transfer(self) -> JSON:
        memo = self._text(LETTERS + " é€", 11)
        return {"type": "transfer", "recipient": self.principal(), "amount": self.uint(64), "memo": memo}

    def _call(self) -> JSON:
        arguments = [self.value() for _ in range(self.chance.randint(0, 4))]
        function = self._name(LETTERS + string.digits + "-_!?", 128)
        return {"type": "call", "contract": self.contract(), "function": function, "arguments": arguments}

    def _deployment(self) -> JSON:
        version = self.chance.choice((None, 1, 2, 3, 4, 5, 6))
        name = self._name(LETTERS + string.digits + "-_", 40)
        return {"type": "deploy", "name": name, "code": self._text(ASCII, 200), "clarityVersion": version}

    def _content(self, kind: str, depth: int) -> object:
        """None where the type says it all."""
        draw: dict[str, Callable[[], object]] = {
            "int": lambda: str(self.chance.choice((-int(self.uint(127)), int(self.uint(127)), -(2**127)))),
            "uint": lambda: self.uint(128),
            "buffer": lambda: self.chance.randbytes(self.chance.choice((0, 1, 20, 32, 300))).hex(),
            "ascii": lambda: self._text(ASCII, 40),
            "utf8": lambda: self._text(UNICODE, 40),
            "address": self.address,
            "contract": self.contract,
            "list": lambda: [self.value(depth) for _ in range(self.chance.randint(0, 4))],
            "tuple": lambda: {self._key_name(): self.value(depth) for _ in range(self.chance.randint(1, 5))},
            **dict.fromkeys(("some", "ok", "err"), lambda: self.value(depth)),
        }
        return draw[kind]() if kind in draw else None

    def _key_name(self) -> str:
        """Of a to z, 0 to 9 and -, which stacks.js sorts as the chain does; short, so that prefixes are shared."""
        first, rest = string.ascii_lowercase[: self.chance.choice((2, 26))], "ab01z9-"
        return self.chance.choice(first) + self._text(rest, 4)

    def _name(self, characters: str, length: int) -> str:
        return self.chance.choice(LETTERS) + self._text(characters, self.chance.choice((8, length - 1)))

    def _text(self, characters: str, most: int) -> str:
        return "".join(self.chance.choices(characters, k=self.chance.randint(0, most)))


_LEAVES = ("int", "uint", "buffer", "true", "false", "none", "ascii", "utf8", "address", "contract")
_AROUND = ("some", "ok", "err", "list", "tuple", "tuple")
