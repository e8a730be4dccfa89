"""What the harness sees of the policies: their statuses, read from Postgres again and again while it answers."""

import contextlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import psycopg2

LOOK_SECONDS = 0.5
STATUSES = "SELECT id::text, status_detailed FROM policies"
OPEN = "SELECT count(*) FROM transactions WHERE status IN ('Signed', 'Sent', 'Mined')"


@dataclass
class Watch:
    """Looks in a thread of its own; what it saw last stands while Postgres is away."""

    url: str
    seen: Mapping[str, str] = field(default_factory=dict)
    transactions: int = 0
    """How many of the backend's may still take effect."""
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def status(self, policy: str) -> str | None:
        """What a policy was when it was last seen."""
        return self.seen.get(policy)

    def counts(self) -> Counter[str]:
        """How many there are of each status."""
        return Counter(self.seen.values())

    def look(self) -> None:
        """Look once."""
        connection = psycopg2.connect(self.url, connect_timeout=2)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(STATUSES)
                self.seen = dict(cursor.fetchall())
                cursor.execute(OPEN)
                (self.transactions,) = cursor.fetchone() or (0,)
        finally:
            connection.close()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with contextlib.suppress(psycopg2.Error):
                self.look()
