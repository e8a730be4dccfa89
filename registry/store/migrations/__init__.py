"""The schema's history: Alembic, run by registry.store.migrate."""
