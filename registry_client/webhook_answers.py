"""Types of what webhooks answer, and of what they post."""

from typing_extensions import TypedDict

from registry_client.answers import Policy
from registry_client.wide import Wide


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
