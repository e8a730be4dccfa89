"""One instant: several statements that must add up are read as the database stood at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from registry.store.session import Database, unit_of_work


@contextmanager
def one_instant(database: Database) -> Iterator[Session]:
    """Open a transaction whose statements all see the same rows; it is for reading, and waits for nobody."""
    with unit_of_work(database) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        yield session
