"""What the routes share: what this process holds, who is let in, the way to the workers, the bounds."""

from dataclasses import dataclass, field
from functools import cached_property, partial

from api.body import Bounds
from api.caller import Guard
from api.doorbell import Doorbell
from api.listener import Figures
from api.results import Results
from api.streams import Hub
from api.threads import Threads
from registry.services import submissions
from registry.services.sign_in import Entrance
from registry.settings import Settings
from registry.store.session import Database
from workers.client import RegistryClient
from workers.push_secrets import PushSecrets
from workers.runtime import Runtime

DATABASE_CALLS, DATABASE_SECONDS = 4, 10.0
RINGS, RING_SECONDS = 2, 15.0
ASKS, ASK_SECONDS = 4, 15.0
REPLAYS, REPLAY_SECONDS = 2, 30.0


def _database_threads() -> Threads:
    # as many as the database has connections for without waiting
    return Threads(most=DATABASE_CALLS, seconds=DATABASE_SECONDS)


def _ring_threads() -> Threads:
    return Threads(most=RINGS, seconds=RING_SECONDS)


def _ask_threads() -> Threads:
    return Threads(most=ASKS, seconds=ASK_SECONDS)


def _replay_threads() -> Threads:
    # of their own: when all streams come again at once, requests are not to wait for them
    return Threads(most=REPLAYS, seconds=REPLAY_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Door:
    """One per process. `registry` asks the workers, in threads of `asking`; `threads` are for the database alone.

    Without an `entrance` nobody can sign in.
    """

    runtime: Runtime
    secrets: PushSecrets
    bell: Doorbell
    registry: RegistryClient
    guard: Guard
    entrance: Entrance | None = None
    bounds: Bounds = field(default_factory=Bounds)
    threads: Threads = field(default_factory=_database_threads)
    ringing: Threads = field(default_factory=_ring_threads)
    asking: Threads = field(default_factory=_ask_threads)
    replaying: Threads = field(default_factory=_replay_threads)

    @property
    def database(self) -> Database:
        """Postgres."""
        return self.runtime.database

    @property
    def settings(self) -> Settings:
        """What this process was told."""
        return self.runtime.settings

    @cached_property
    def results(self) -> Results:
        """What calls on their way end with."""
        return Results(outcomes=self.registry.outcomes, answered=partial(submissions.answered, self.database))

    @cached_property
    def streams(self) -> Hub:
        """Who listens."""
        return Hub(most=self.settings.api_streams, most_per_caller=self.settings.api_streams_per_caller)

    @cached_property
    def figures(self) -> Figures:
        """The stats for those who listen to them."""
        return Figures(self.database, self.streams, self.threads)
