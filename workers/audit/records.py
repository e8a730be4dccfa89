"""Rows of Postgres as the audit reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    """A row of `policies`."""

    id: str
    on_chain: int | None
    owner: str
    strike: int
    amount: int
    expiration: int
    status: str
    status_on_chain: int | None
    premium: int | None
    fee: int | None
    token: str | None
    settlement_amount: int | None
    settlement_token: str | None
    tx_creation: str | None
    tx_end: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A row of `policy_events`; `at` by the clock of whoever wrote it."""

    edge: str
    leaves: str | None
    enters: str
    cause: str
    at: datetime

    def to_json(self) -> dict[str, str]:
        """The edge and why it was walked."""
        return {"edge": self.edge, "enters": self.enters, "cause": self.cause}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A row of `reservations`."""

    policy: str
    tier: str
    token: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRecord:
    """A row of `tier_capital`."""

    tier: str
    token: str
    reserved: int
    locked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A row of `pool_books`."""

    assets: int
    locked: int
    unearned: int
    since: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A row of `settlements`. `said` are the prices of its snapshot by pair, `kept` those of the rows it names."""

    amount: int
    token: str
    capped: bool
    said: Mapping[str, int]
    kept: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A row of `transaction_entries` with its transaction: what was signed for one policy, and whether it was done.

    `is_open`: it may still take effect.
    """

    policy: str
    purpose: str
    transaction: str
    is_done: bool
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A row of `quotes` that was recorded: which policy came of an owner's key, and what it was quoted at."""

    owner: str
    key: str
    policy: str
    quote_id: str
    premium: int
    fee: int
    collateral: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WishRecord:
    """A row of `activation_requests`."""

    policy: str
    key: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerRecord:
    """A row of `signers` with the nonces of its `transactions`; `unmined` of them are in no block yet."""

    principal: str
    next_nonce: int
    nonces: tuple[int, ...]
    unmined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All of it, as of `block`, the newest canonical block that was applied.

    `asked` are the policies with an activation request that was accepted or is open, `followed` the transactions of
    the events that were applied.
    """

    block: str
    burn_height: int
    policies: tuple[PolicyRecord, ...]
    walks: Mapping[str, tuple[Move, ...]]
    holds: tuple[Hold, ...]
    tiers: tuple[TierRecord, ...]
    books: Mapping[str, Book]
    pinned: Mapping[str, Pinned]
    intents: tuple[Intent, ...]
    requests: tuple[RequestRecord, ...]
    wishes: tuple[WishRecord, ...]
    asked: frozenset[str]
    followed: frozenset[str]
    signers: tuple[SignerRecord, ...]
