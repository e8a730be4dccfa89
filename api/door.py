"""What the routes share: the database, the secrets, the doorbell, the bounds."""

from dataclasses import dataclass, field

from api.body import Bounds
from api.doorbell import Doorbell
from api.threads import Threads
from registry.store.session import Database
from workers.push_secrets import PushSecrets

DATABASE_CALLS, DATABASE_SECONDS = 4, 10.0
RINGS, RING_SECONDS = 2, 15.0


def _database_threads() -> Threads:
    # as many as the database has connections for without waiting
    return Threads(most=DATABASE_CALLS, seconds=DATABASE_SECONDS)


def _ring_threads() -> Threads:
    return Threads(most=RINGS, seconds=RING_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Door:
    """One per process."""

    database: Database
    secrets: PushSecrets
    bell: Doorbell
    bounds: Bounds = field(default_factory=Bounds)
    threads: Threads = field(default_factory=_database_threads)
    ringing: Threads = field(default_factory=_ring_threads)
