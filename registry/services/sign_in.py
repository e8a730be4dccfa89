"""Signing in with a wallet: a challenge is given, answered once with a signature, and opens a session."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog

from registry.domain import challenge as challenges
from registry.domain import token as tokens
from registry.domain.access import ChallengeUsed, SessionEnded, SignatureWrong, TokenExpired, TokenInvalid
from registry.domain.challenge import Challenge, Site
from registry.domain.errors import BadRequest
from registry.domain.keyring import KeyRing
from registry.domain.token import Claims
from registry.domain.units import Principal
from registry.stacks import messages
from registry.stacks.clarity import StringAscii, Tuple, UInt
from registry.stacks.errors import DecodeError
from registry.stacks.keys import key_address
from registry.stacks.network import Network
from registry.stacks.principals import StandardPrincipal
from registry.store import sessions
from registry.store.front_tables import SessionRow
from registry.store.session import Database, unit_of_work
from registry_client import access_answers as shapes

GRACE = timedelta(seconds=30)
"""How long a token is still taken once it was exchanged: requests that are under way were sent with it."""
MOST_SESSIONS = 50
"""Of one principal; a further one ends the oldest."""
KEPT = timedelta(days=1)
"""How long a session and an answered challenge stay after their end."""

_NAME, _VERSION = "Policy Registry sign-in", "1"
_LOG = structlog.get_logger()


class Signed(StrEnum):
    """What of a challenge was signed: its text (`stx_signMessage`), or its structured form (SIP-018)."""

    MESSAGE = "message"
    STRUCTURED = "structured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Where owners sign in, by which keys, and for how long."""

    site: Site
    network: Network
    challenges: KeyRing
    tokens: KeyRing
    token_life: timedelta
    session_life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a wallet made of a challenge: R ‖ S ‖ V in hex, with 0x or without."""

    address: str
    nonce: str
    signature: str
    kind: Signed


def give_challenge(entrance: Entrance, address: str, *, now: datetime) -> shapes.Challenge:
    """Give an address a challenge; nothing is kept of it.

    Raises:
        BadRequest: it is not the canonical address of one key's account on this network.
    """
    principal = _account(address, network=entrance.network)
    challenge = challenges.give(entrance.site, principal, keys=entrance.challenges, now=now)
    return {
        "address": challenge.address,
        "domain": entrance.site.domain,
        "network": entrance.site.network,
        "chain_id": entrance.site.chain_id,
        "nonce": challenge.nonce,
        "issued_at": challenge.issued_at.isoformat(),
        "expires_at": challenge.expires_at.isoformat(),
        "message": challenge.text,
        "structured": _told_structure(challenge),
    }


def begin(database: Database, entrance: Entrance, answer: Answer, *, now: datetime) -> shapes.SignedIn:
    """Open a session for whoever answers a challenge with his signature; no challenge opens two.

    Raises:
        BadRequest: the address is no account on this network.
        NotLetIn: the challenge is not ours, too old or used, or the signature is not that of the address.
    """
    principal = _account(answer.address, network=entrance.network)
    challenge = challenges.given(entrance.site, principal, answer.nonce, keys=entrance.challenges, now=now)
    _require_signature(challenge, answer, network=entrance.network)
    digest = hashlib.sha256(challenge.nonce.encode()).hexdigest()
    with unit_of_work(database) as session:
        if not sessions.use_challenge(session, digest, expires_at=challenge.expires_at):
            raise ChallengeUsed
        row = sessions.begin(session, principal, now=now, expires_at=now + entrance.session_life)
        sessions.end_all(session, principal, now=now, but_newest=MOST_SESSIONS)
    _LOG.info("session.begun", principal=principal, session_id=str(row.id), kind=answer.kind.value)
    return _signed_in(entrance, row, now=now)


def bearer(database: Database, entrance: Entrance, token: str, *, now: datetime) -> Claims:
    """Answer what a token says, once its session was seen to stand.

    Raises:
        NotLetIn: the token is not ours, is over, or its session is.
    """
    claims = tokens.read(token, site=entrance.site, keys=entrance.tokens, now=now)
    with unit_of_work(database) as session:
        row = sessions.find(session, claims.session_id)
    _require_standing(row, claims, now=now)
    return claims


def rotate(database: Database, entrance: Entrance, token: str, *, now: datetime) -> shapes.SignedIn:
    """Exchange a token for a new one of the same session; the old one is taken for 30 s more.

    Exchanging it twice within them raises the generation once: whoever lost an answer asks again.

    Raises:
        NotLetIn: the token is not ours, is over, or its session is.
    """
    claims = tokens.read(token, site=entrance.site, keys=entrance.tokens, now=now)
    with unit_of_work(database) as session:
        sessions.rotate(session, claims.session_id, generation=claims.generation, now=now)
        row = _require_standing(sessions.find(session, claims.session_id), claims, now=now)
    _LOG.info("session.rotated", session_id=str(row.id), generation=row.generation)
    return _signed_in(entrance, row, now=now)


def sign_out(database: Database, session_id: UUID, *, now: datetime) -> None:
    """End a session; ending it again changes nothing."""
    with unit_of_work(database) as session:
        ended = sessions.end(session, session_id, now=now)
    if ended:
        _LOG.info("session.ended", session_id=str(session_id))


def sign_out_everywhere(database: Database, principal: Principal, *, now: datetime) -> None:
    """End every session of a principal."""
    with unit_of_work(database) as session:
        ended = sessions.end_all(session, principal, now=now)
    _LOG.info("sessions.ended", principal=principal, count=ended)


def listed(database: Database, principal: Principal, *, current: UUID | None, now: datetime) -> list[shapes.Session]:
    """List a principal's sessions that stand, newest first; `current` is that of whoever asks."""
    with unit_of_work(database) as session:
        rows = sessions.standing(session, principal, now=now, limit=MOST_SESSIONS)
    return [{**_told(row), "is_current": row.id == current} for row in rows]


def forget(database: Database, *, now: datetime, limit: int = 1000) -> int:
    """Remove sessions and answered challenges that ended a day ago, at most `limit` of each; answer how many."""
    with unit_of_work(database) as session:
        return sessions.forget(session, before=now - KEPT, limit=limit)


def structure(challenge: Challenge) -> tuple[Tuple, Tuple]:
    """The domain and the message that are signed of a challenge's structured form."""
    site = challenge.site
    domain = Tuple({"name": StringAscii(_NAME), "version": StringAscii(_VERSION), "chain-id": UInt(site.chain_id)})
    message = Tuple(
        {
            "domain": StringAscii(site.domain),
            "uri": StringAscii(site.url),
            "network": StringAscii(site.network),
            "address": StandardPrincipal.parse(challenge.address),
            "statement": StringAscii(challenges.STATEMENT),
            "nonce": StringAscii(challenge.nonce),
            "issued-at": StringAscii(challenges.moment(challenge.issued_at)),
            "expires-at": StringAscii(challenges.moment(challenge.expires_at)),
        }
    )
    return domain, message


def _told_structure(challenge: Challenge) -> shapes.StructuredChallenge:
    domain, message = structure(challenge)
    return {
        "domain": {"name": _NAME, "version": _VERSION, "chain_id": challenge.site.chain_id},
        "domain_hex": domain.encode().hex(),
        "message_hex": message.encode().hex(),
    }


def _account(address: str, *, network: Network) -> Principal:
    try:
        principal = StandardPrincipal.parse(address)
    except DecodeError as error:
        raise BadRequest(field="address", reason=str(error)) from None
    if principal.version != network.single_sig:
        reason = "it belongs to another network" if principal.version != network.multi_sig else "it has several keys"
        raise BadRequest(field="address", reason=reason)
    return Principal(address)


def _require_signature(challenge: Challenge, answer: Answer, *, network: Network) -> None:
    try:
        signature = bytes.fromhex(answer.signature.removeprefix("0x"))
        messages.require_lower(signature)
        key = (
            messages.recover(challenge.text, signature)
            if answer.kind is Signed.MESSAGE
            else messages.recover_structured(*structure(challenge), signature)
        )
    # the codec's errors are ValueErrors, as that of hex is
    except ValueError:
        raise SignatureWrong from None
    if key_address(key, network) != challenge.address:
        raise SignatureWrong


def _require_standing(row: SessionRow | None, claims: Claims, *, now: datetime) -> SessionRow:
    if row is None or row.principal != claims.principal or claims.generation > row.generation:
        raise TokenInvalid
    if row.revoked_at is not None:
        raise SessionEnded(reason="it was signed out")
    if now >= row.expires_at:
        raise SessionEnded(reason="it is as old as one may be")
    is_the_one_before = claims.generation == row.generation - 1 and now < row.rotated_at + GRACE
    if claims.generation != row.generation and not is_the_one_before:
        raise TokenExpired(reason="it was exchanged for a newer one")
    return row


def _signed_in(entrance: Entrance, row: SessionRow, *, now: datetime) -> shapes.SignedIn:
    claims = Claims(
        principal=Principal(row.principal),
        session_id=row.id,
        generation=row.generation,
        issued_at=now.replace(microsecond=0),
        expires_at=tokens.end_of(now, life=entrance.token_life, session_end=row.expires_at),
    )
    return {
        "token": tokens.write(claims, site=entrance.site, keys=entrance.tokens),
        "token_type": "Bearer",
        "expires_at": claims.expires_at.isoformat(),
        "session": _told(row),
    }


def _told(row: SessionRow) -> shapes.Session:
    return {
        "id": str(row.id),
        "principal": row.principal,
        "created_at": row.created_at.isoformat(),
        "rotated_at": row.rotated_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
    }
