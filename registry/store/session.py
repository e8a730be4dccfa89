"""The database and the unit of work: one transaction, committed at the edge by nobody but it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from registry.domain.errors import DatabaseUnavailable
from registry.fault_points import is_watched, reached

_WRITES = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


def sqlalchemy_url(url: str) -> str:
    """Name the driver: SQLAlchemy reads a bare `postgresql://` as another one than psycopg2."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if separator and scheme in {"postgresql", "postgres"} else url


class Database:
    """A Postgres by URL. Its connections belong to the process that opened them: a fork opens its own."""

    def __init__(self, url: str, *, statement_seconds: float | None = None) -> None:
        """Take a `postgresql://` URL; nothing is connected yet. The server ends what takes longer than it may."""
        self._url = sqlalchemy_url(url)
        self._options = "" if statement_seconds is None else f"-c statement_timeout={round(1000 * statement_seconds)}"
        self._engine: Engine | None = None
        self._pid: int | None = None

    @property
    def engine(self) -> Engine:
        """The engine of this very process."""
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                # the parent goes on using these sockets: drop them, do not close them
                self._engine.dispose(close=False)
            arguments = {"options": self._options} if self._options else {}
            self._engine = create_engine(
                self._url, pool_pre_ping=True, pool_size=4, max_overflow=12, connect_args=arguments
            )
            self._pid = os.getpid()
        return self._engine

    def close(self) -> None:
        """Close this process's connections."""
        if self._engine is not None:
            self._engine.dispose(close=self._pid == os.getpid())
            self._engine = None


@contextmanager
def unit_of_work(database: Database) -> Iterator[Session]:
    """Open a transaction, commit it at the end, roll it back when anything is raised.

    What was loaded stays readable afterwards. No socket may be used inside.

    Raises:
        DatabaseUnavailable: Postgres cannot be reached, broke off, or chose this transaction to end a deadlock.
    """
    writes = False
    try:
        with Session(database.engine, expire_on_commit=False) as session, session.begin():
            yield session
            if is_watched() and (writes := _writes(session)):
                reached("commit.before")
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(reason=_first_line(error)) from error
    if writes:
        reached("commit.after")


def _writes(session: Session) -> bool:
    """Whether there is anything to commit: the end of what only reads is no fault point."""
    session.flush()
    return bool(session.execute(_WRITES).scalar_one())


def _first_line(error: OperationalError | InterfaceError) -> str:
    """What the driver says, without the statement and its values."""
    return str(error.orig).strip().partition("\n")[0]
