"""Keys of services: made once, kept as digests, looked up by prefix and compared in constant time."""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from registry.domain.access import KeyEnded, KeyUnknown, Scope
from registry.domain.errors import BadRequest
from registry.store import api_keys
from registry.store.front_tables import ApiKeyRow
from registry.store.session import Database, unit_of_work
from registry_client import access_answers as shapes

MARK = "prk_"
"""What every key begins with, so that one that was published can be found."""
NAME = "^[0-9A-Za-z][0-9A-Za-z ._:@/-]{0,99}$"
PREFIX = "^[0-9a-f]{12}$"
NOTED_EVERY = timedelta(minutes=1)
MOST_DAYS = 3650
MOST = 200

_KEY = re.compile(r"prk_([0-9a-f]{12})_([0-9a-f]{64})")
_PREFIX_BYTES, _SECRET_BYTES = 6, 32
_NOBODYS = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """A key that stands: whose it is and what it may do."""

    id: UUID
    prefix: str
    scopes: frozenset[Scope]
    expires_at: datetime | None
    last_used_at: datetime | None = field(compare=False)


def create(
    database: Database, name: str, *, scopes: Collection[Scope], expires_at: datetime | None, now: datetime
) -> shapes.NewApiKey:
    """Make a key and show it, this once.

    Raises:
        BadRequest: the name is none, there is no scope, or the end has come already.
    """
    if not re.fullmatch(NAME, name):
        reason = "it is not 1 to 100 letters, digits, spaces and . _ : @ / - that begin with a letter or digit"
        raise BadRequest(field="name", reason=reason)
    if not scopes:
        raise BadRequest(field="scopes", reason="a key without any may do nothing")
    if expires_at is not None and expires_at <= now:
        raise BadRequest(field="days", reason="the key would be over already")
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_hex(_SECRET_BYTES)
    row = ApiKeyRow(
        prefix=prefix,
        digest=_digest(secret),
        name=name,
        scopes=[scope.value for scope in Scope if scope in scopes],
        created_at=now,
        expires_at=expires_at,
    )
    with unit_of_work(database) as session:
        kept = api_keys.add(session, row)
    return {"key": f"{MARK}{prefix}_{secret}", "api_key": _told(kept)}


def bearer(database: Database, key: str, *, now: datetime) -> ServiceKey:
    """Answer whose key it is; an unknown prefix takes as long, and is answered, as a wrong secret.

    Raises:
        KeyUnknown: it is nobody's.
        KeyEnded: it is right, and was taken back or is over.
    """
    parts = _KEY.fullmatch(key)
    if parts is None:
        raise KeyUnknown
    prefix, secret = parts.groups()
    with unit_of_work(database) as session:
        row = api_keys.by_prefix(session, prefix)
    is_right = compare_digest(_digest(secret), _NOBODYS if row is None else row.digest)
    if row is None or not is_right:
        raise KeyUnknown
    if row.revoked_at is not None:
        raise KeyEnded(prefix=prefix, reason="it was taken back")
    if row.expires_at is not None and now >= row.expires_at:
        raise KeyEnded(prefix=prefix, reason="its end has come")
    return ServiceKey(
        id=row.id,
        prefix=prefix,
        # one that a newer release gave, and this one does not know, allows nothing here
        scopes=frozenset(scope for scope in Scope if scope in row.scopes),
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def note_use(database: Database, key_id: UUID, *, now: datetime) -> None:
    """Write down that a key was used, at most once a minute."""
    with unit_of_work(database) as session:
        api_keys.note_use(session, key_id, now=now, unless_since=now - NOTED_EVERY)


def shown(database: Database, key_id: UUID) -> shapes.ApiKey | None:
    """One key without its secret."""
    with unit_of_work(database) as session:
        row = api_keys.by_id(session, key_id)
    return None if row is None else _told(row)


def listed(database: Database, *, after: str | None = None, limit: int = MOST) -> shapes.ApiKeys:
    """List keys, newest first, those that are over too; `after` is the prefix of the last one seen.

    Raises:
        BadRequest: `after` is no prefix of a key.
    """
    with unit_of_work(database) as session:
        last = None if after is None else api_keys.by_prefix(session, after)
        if after is not None and last is None:
            raise BadRequest(field="after", reason="it is no key's prefix")
        rows = api_keys.page(session, after=last, limit=limit + 1)
    return {
        "items": [_told(row) for row in rows[:limit]],
        "next": rows[limit - 1].prefix if len(rows) > limit else None,
    }


def revoke(database: Database, prefix: str, *, now: datetime) -> shapes.ApiKey | None:
    """Take a key back, and answer how it stands; taking it back again changes nothing. None: there is none."""
    with unit_of_work(database) as session:
        api_keys.revoke(session, prefix, now=now)
        row = api_keys.by_prefix(session, prefix)
    return None if row is None else _told(row)


def _digest(secret: str) -> str:
    """What is kept of a secret: it has 256 random bits, so that no slower digest would add anything."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _told(row: ApiKeyRow) -> shapes.ApiKey:
    return {
        "id": str(row.id),
        "prefix": row.prefix,
        "name": row.name,
        "scopes": list(row.scopes),
        "created_at": row.created_at.isoformat(),
        "expires_at": _moment(row.expires_at),
        "last_used_at": _moment(row.last_used_at),
        "revoked_at": _moment(row.revoked_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
