"""Bring a database to the present schema, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.parameters import Parameters
from registry.store.parameters import put_in_force
from registry.store.session import Database
from registry.store.tables import ParametersRow

ADVISORY_LOCK = 0x504F4C49
"""Any number, the same in every process that migrates."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, on a connection that is open already."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database) -> None:
    """Upgrade to the newest schema and, on a new database, put the default parameters in force.

    A second process waits for the first; a statement that waits over 10 s for a table gives up and changes nothing.
    """
    with database.engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        command.upgrade(configuration(connection), "head")
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session, session.begin():
            if session.execute(select(col(ParametersRow.id)).limit(1)).first() is None:
                put_in_force(session, Parameters(), reason="the defaults")
