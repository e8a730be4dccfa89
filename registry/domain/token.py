"""The token of a session: a JWT that names its holder, his session and its generation, for minutes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from registry.domain.access import TokenExpired, TokenInvalid
from registry.domain.challenge import SKEW, Site
from registry.domain.keyring import KeyRing, key_name
from registry.domain.units import Principal

ALGORITHM = "HS256"
MOST_CHARACTERS = 2048
CLAIMS = ("iss", "aud", "sub", "sid", "gen", "iat", "exp")

# times are compared with the clock of all processes below, not with this machine's
_OPTIONS: jwt.types.Options = {
    "require": list(CLAIMS),
    "verify_exp": False,
    "verify_iat": False,
    "strict_aud": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says; `expires_at` is its own end, the session's comes later."""

    principal: Principal
    session_id: UUID
    generation: int
    issued_at: datetime
    expires_at: datetime


def audience(site: Site) -> str:
    """Whom tokens are for: a registry of one network."""
    return f"policy-registry:{site.network}"


def write(claims: Claims, *, site: Site, keys: KeyRing) -> str:
    """Sign a token with the newest key."""
    told = {
        "iss": site.domain,
        "aud": audience(site),
        "sub": claims.principal,
        "sid": str(claims.session_id),
        "gen": claims.generation,
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
    }
    return jwt.encode(told, keys.newest, algorithm=ALGORITHM, headers={"kid": key_name(keys.newest)})


def read(token: str, *, site: Site, keys: KeyRing, now: datetime) -> Claims:
    """Read a token of ours; whether its session still stands is another question.

    Raises:
        TokenInvalid: none of our keys signed it, with our one algorithm, for this site and network.
        TokenExpired: its end has come.
    """
    if len(token) > MOST_CHARACTERS:
        raise TokenInvalid
    try:
        key = keys.named(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise TokenInvalid
        told = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=audience(site), issuer=site.domain, options=_OPTIONS
        )
        claims = _claims(told)
    # a header that is nested too deep, or no text, fails in its own ways
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError):
        raise TokenInvalid from None
    if not claims.issued_at - SKEW <= now < claims.expires_at:
        raise TokenExpired(reason="its end has come")
    return claims


def end_of(now: datetime, *, life: timedelta, session_end: datetime) -> datetime:
    """When a token that is given now ends, a whole second: never after its session."""
    return min(now + life, session_end).replace(microsecond=0)


def _claims(told: dict[str, object]) -> Claims:
    generation, issued, expires = (told[name] for name in ("gen", "iat", "exp"))
    if not (type(generation) is type(issued) is type(expires) is int):
        raise TokenInvalid
    return Claims(
        principal=Principal(str(told["sub"])),
        session_id=UUID(str(told["sid"])),
        generation=generation,
        issued_at=datetime.fromtimestamp(issued, tz=UTC),
        expires_at=datetime.fromtimestamp(expires, tz=UTC),
    )
