"""What a caller sends and gets, as types: JSON objects by their fields, amounts in base units, times in ISO 8601.

Over Celery every integer is a JSON integer. Over HTTP a `Wide` one is a decimal string, for many programs read JSON's
numbers as floats; `registry_client.wide` turns one form into the other.
"""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from registry_client.wide import Wide


class PolicyRequest(TypedDict):
    """What an owner asks for: strike in USD × 10^8, amount in sats, `premium_token` STX or sBTC."""

    policy_type: str
    protected_value_price_feed_units: Wide
    protected_amount_sats: Wide
    duration_days: int
    premium_token: str
    exercise_style: NotRequired[str]


class Depth(TypedDict):
    """Where something stands on the chain; `depth` is included, confirmed or final."""

    tx_id: str
    height: int
    depth: str


class OnChain(TypedDict):
    """A policy's purchase and its end, from the block on that holds them; one that is only included may go again."""

    purchase: Depth | None
    end: Depth | None


class Policy(TypedDict):
    """A policy as it stands; what the chain has not said yet is None. `chain` is told where one policy is asked for."""

    id: str
    policy_id_on_chain: Wide | None
    owner_principal: str
    counterparty_principal: str
    protected_value_price_feed_units: Wide
    protected_amount_sats: Wide
    expiration_height: int
    policy_type: str
    status_on_chain: int | None
    status_detailed: str
    creation_height: int | None
    creation_timestamp: str | None
    expiration_timestamp_estimate: str | None
    premium_amount_base_units: Wide | None
    premium_token: str | None
    premium_fee_amount_base_units: Wide | None
    settlement_amount_base_units: Wide | None
    settlement_token: str | None
    settlement_timestamp: str | None
    tx_id_creation: str | None
    tx_id_status_update: str | None
    last_checked_block_height_expiry: int | None
    risk_tier: str | None
    oracle_data_snapshot_creation: dict[str, Any] | None
    oracle_data_snapshot_settlement: dict[str, Any] | None
    exercise_style: str
    parameters_id: int | None
    created_at: str
    chain: NotRequired[OnChain]
    as_of: NotRequired["AsOf"]


class Happening(TypedDict):
    """Something that happened to a policy; what `kind` has no use for is None, the rest of it is in `detail`.

    `edge`: a transition, with its statuses; `requested`, `decided`, `declined`: what the owner asked for, and how that
    ended; `pinned`: what is owed; `signed`, `accepted`, `refused`: a transaction of ours; `block`: an event in a block,
    at the time when the registry applied it.
    """

    at: str
    kind: str
    edge: str | None
    from_status: str | None
    to_status: str | None
    cause: str | None
    actor: str | None
    height: int | None
    tx_id: str | None
    detail: dict[str, Any]


class AsOf(TypedDict):
    """At which height a policy is shown, until when that was the newest (None: it is), and the edges behind it then."""

    height: int
    until: str | None
    events: list[Happening]


class Quote(TypedDict):
    """What a policy costs, the most it can ever pay, and the last height at which the contract takes the quote."""

    quote_id: str
    premium_amount_base_units: Wide
    premium_fee_amount_base_units: Wide
    premium_token: str
    max_payout_base_units: Wide
    risk_tier: str
    expiration_height: int
    valid_until_height: int
    pricing: dict[str, Any]


class Creation(TypedDict):
    """A quoted policy; `wallet_payload` is what a wallet takes for `stx_callContract`."""

    policy: Policy
    quote: Quote
    wallet_payload: dict[str, Any]


class Reported(TypedDict):
    """The policy whose purchase was sent or declined.

    Up to `purchasable_until_height` a block may still hold its purchase, declined or not, for a signed quote cannot be
    called back; its collateral stays reserved until then. None where the purchase, or its end, is confirmed.
    """

    policy: Policy
    purchasable_until_height: int | None


class Preview(TypedDict):
    """What a policy would cost now, and the most that it could ever pay; nothing of it is kept.

    `has_room` says whether its tier could lock that much now; `expiration_height` counts from the newest block applied.
    """

    premium_amount_base_units: Wide
    premium_fee_amount_base_units: Wide
    premium_token: str
    max_payout_base_units: Wide
    risk_tier: str
    has_room: bool
    free_base_units: Wide
    expiration_height: int
    expiration_timestamp_estimate: str
    pricing: dict[str, Any]


class Submission(TypedDict):
    """What was asked under an idempotency key: `running`, or `done` with the status and the body that answer it."""

    id: str
    operation: str
    state: str
    asked_at: str
    answered_at: str | None
    status: int | None
    answer: Any


class Decision(TypedDict):
    """How an activation stands: `open`, `accepted`, or None for a policy that nobody asked to activate."""

    state: str | None
    settlement_amount_base_units: Wide | None
    settlement_token: str | None


class Activation(TypedDict):
    """A policy with what was decided of it."""

    policy: Policy
    activation: Decision


class Accepted(TypedDict):
    """An event of ours: the block that holds it is applied in its turn."""

    accepted: bool
    tx_id: str


class Page(TypedDict):
    """Some policies; `next` is the `after` of the page that follows, None on the last."""

    items: list[Policy]
    next: str | None


PolicyEvent = TypedDict(
    "PolicyEvent",
    {
        "seq": int,
        "policy_id": str,
        "edge": str,
        "from": str | None,
        "to": str,
        "cause": str,
        "height": int | None,
        "tx_id": str | None,
        "at": str,
        "policy": Policy,
    },
)
"""An edge that a policy walked, as streams tell it, at its place `seq` among all; `policy` is as it stands now."""


class FeedPlace(TypedDict):
    """From where on a stream tells everything."""

    seq: int


class TokenSums(TypedDict):
    """The policies of one token: how many stand where, the bitcoin that Active ones protect, and sums in base units."""

    policies: int
    active: int
    by_status: dict[str, int]
    active_cover_sats: Wide
    premium_base_units: Wide
    fee_base_units: Wide
    settled_base_units: Wide
    locked_base_units: Wide
    reserved_base_units: Wide


class Stats(TypedDict):
    """How many policies stand where, and the sums of each token."""

    policies: int
    active: int
    by_status: dict[str, int]
    by_token: dict[str, TokenSums]


class StatsOfHour(TypedDict):
    """The stats at the end of the hour that began `at`; `taken_at` is when they were read, soon after it."""

    at: str
    taken_at: str
    height: int | None
    stats: Stats


class StatsHistory(TypedDict):
    """Some hours, oldest first; `next` is the `after` of the page that follows, None on the last."""

    items: list[StatsOfHour]
    next: str | None


class TierState(TypedDict):
    """What a tier may use of one token's pool; `bound` says what `free_base_units` would run into first."""

    share_ppm: int
    usable_base_units: Wide
    locked_base_units: Wide
    reserved_base_units: Wide
    unsigned_base_units: Wide
    free_base_units: Wide
    bound: str
    utilisation_ppm: int


class TokenPool(TypedDict):
    """The pool's book of one token, as its events up to `as_of_height` made it."""

    assets_base_units: Wide
    locked_base_units: Wide
    reserved_base_units: Wide
    free_base_units: Wide
    unearned_base_units: Wide
    earned_until_height: int
    as_of_height: int
    utilisation_ppm: int
    tiers: dict[str, TierState]


class PoolState(TypedDict):
    """The pool by token; `height` is that of the newest block applied, None before the first."""

    height: int | None
    parameters_id: int
    tokens: dict[str, TokenPool]
