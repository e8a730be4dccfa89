"""What a caller sends and gets, as types: JSON objects by their fields, amounts in base units, times in ISO 8601.

Over Celery every integer is a JSON integer. Over HTTP a `Wide` one is a decimal string, for many programs read JSON's
numbers as floats; `registry_client.wide` turns one form into the other.
"""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from registry_client.wide import WIDE

Wide = Annotated[int, WIDE]
"""An integer that can pass 2^53: an amount, a price or an id of the chain's."""


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


class StructuredChallenge(TypedDict):
    """A challenge after SIP-018; what ends in `_hex` are Clarity values, as `stx_signStructuredMessage` takes them."""

    domain: dict[str, Any]
    domain_hex: str
    message_hex: str


class Challenge(TypedDict):
    """What an owner signs to sign in: `message` by `stx_signMessage`, or else `structured`."""

    address: str
    domain: str
    network: str
    chain_id: int
    nonce: str
    issued_at: str
    expires_at: str
    message: str
    structured: StructuredChallenge


class Session(TypedDict):
    """A principal that is signed in; `rotated_at` is when its token was last exchanged."""

    id: str
    principal: str
    created_at: str
    rotated_at: str
    expires_at: str
    is_current: NotRequired[bool]


class SignedIn(TypedDict):
    """A token and its end; the session lasts longer if the token is exchanged in time."""

    token: str
    token_type: str
    expires_at: str
    session: Session


class Sessions(TypedDict):
    """A principal's sessions that stand, newest first; they are few, so `next` is None."""

    items: list[Session]
    next: str | None


class ApiKey(TypedDict):
    """A service's key without its secret."""

    id: str
    prefix: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class NewApiKey(TypedDict):
    """A key that was just made; `key` is shown this once."""

    key: str
    api_key: ApiKey


class ApiKeys(TypedDict):
    """Some keys, newest first; `next` is the `after` of the page that follows, None on the last."""

    items: list[ApiKey]
    next: str | None


class Me(TypedDict):
    """Who asks: a holder with a session, or a service with a key; `expires_at` is the end of what he sent."""

    kind: str
    principal: str | None
    scopes: list[str]
    expires_at: str | None
    session: Session | None
    api_key: ApiKey | None


class ExpiringSoon(TypedDict):
    """What `policy.expiring_soon` says: how many blocks are left, and hours at ten minutes a block."""

    policy_id: str
    height: int
    expiration_height: int
    blocks_left: int
    hours_left: int
    policy: Policy


class InTheMoney(TypedDict):
    """What `policy.in_the_money` says: what would be paid if the prices stayed, by the formula that settles."""

    policy_id: str
    height: int
    btc_usd_price_feed_units: Wide
    stx_usd_price_feed_units: Wide | None
    observed_at: str
    payout_base_units: Wide
    token: str
    policy: Policy


class WebhookEndpoint(TypedDict):
    """Where a service is told, and of what; until `secret_overlap_until` two secrets sign."""

    id: str
    url: str
    kinds: list[str]
    description: str
    enabled: bool
    disabled_because: str | None
    secret_overlap_until: str | None
    created_at: str


class NewWebhookEndpoint(TypedDict):
    """An endpoint with its secret, which is shown this once."""

    secret: str
    endpoint: WebhookEndpoint


class WebhookEndpoints(TypedDict):
    """A key's endpoints, oldest first; they are few, so `next` is None."""

    items: list[WebhookEndpoint]
    next: str | None


class WebhookDelivery(TypedDict):
    """One message to one endpoint; `message_id` is the `webhook-id` under which it is sent, `state` how it stands."""

    id: str
    endpoint_id: str
    message_id: str
    kind: str
    policy_id: str | None
    at: str
    state: str
    attempts: int
    next_at: str | None
    last_at: str | None
    last_status: int | None
    last_error: str | None


class WebhookDeliveries(TypedDict):
    """Some deliveries, newest first; `next` is the `after` of the page that follows, None on the last."""

    items: list[WebhookDelivery]
    next: str | None


class WebhookResent(TypedDict):
    """How many deliveries are on their way again; where that is the most of one call, there may be more."""

    resent: int


class WebhookKind(TypedDict):
    """A kind of message and what it means."""

    kind: str
    meaning: str


class WebhookKinds(TypedDict):
    """All of them."""

    items: list[WebhookKind]
    next: str | None


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
