"""Types of what signing in and the keys of services answer."""

from typing import Any, NotRequired

from typing_extensions import TypedDict


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
