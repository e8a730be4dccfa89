"""Types of a policy's timeline: all that is kept of it."""

from typing import Any

from typing_extensions import TypedDict

from registry_client.answers import Happening, OnChain, Policy, Quote
from registry_client.wide import Wide


class KeptQuote(Quote):
    """A quote, whether its wallet payload was made, and when its owner declined it."""

    prepared: bool
    declined_at: str | None
    created_at: str


class Collateral(TypedDict):
    """What a policy holds of the pool: `reserved`, `locked` or `released`."""

    state: str
    amount_base_units: Wide
    token: str


class ActivationAsked(TypedDict):
    """A request to be paid and its decision: `open`, `accepted`, `refused` or `void`."""

    state: str
    requested_at: str
    requested_height: int
    min_payout_base_units: Wide | None
    decided_at: str | None
    refusal: dict[str, Any] | None


class Settlement(TypedDict):
    """What is owed for a policy, as it was pinned."""

    amount_base_units: Wide
    token: str
    capped: bool
    formula_version: int
    snapshot: dict[str, Any]
    pinned_at: str


class Attempt(TypedDict):
    """Signed bytes of a transaction of ours."""

    tx_id: str
    fee_micro_stx: Wide
    created_at: str
    accepted_at: str | None
    refusal: str | None


class OwnTransaction(TypedDict):
    """A transaction of ours that concerns a policy; `refusal` is the contract's answer for it."""

    id: str
    purpose: str
    status: str
    signer: str
    nonce: int
    height: int | None
    chain_status: str | None
    amount_base_units: Wide | None
    refusal: int | None
    created_at: str
    attempts: list[Attempt]


class History(TypedDict):
    """All that is kept of a policy; `timeline` is everything that happened, oldest first."""

    policy: Policy
    chain: OnChain
    quote: KeptQuote | None
    collateral: Collateral | None
    requests: list[ActivationAsked]
    settlement: Settlement | None
    transactions: list[OwnTransaction]
    timeline: list[Happening]
