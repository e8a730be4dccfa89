"""What Alembic runs for each migration: on the connection that registry.store.migrate hands over."""

from alembic import context
from sqlmodel import SQLModel

from registry.store import front_tables, tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()

__all__ = ["front_tables", "tables"]
