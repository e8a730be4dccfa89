"""`GET /health`: whether this process takes what is pushed, which it cannot without the database."""

from fastapi import APIRouter
from sqlalchemy import text

from api.door import Door
from registry.store.session import Database, unit_of_work


def router(door: Door) -> APIRouter:
    """Make the route."""
    own = APIRouter()

    @own.get("/health", tags=["front door"], operation_id="health", summary="Whether this process serves")
    async def health() -> dict[str, str]:
        """Answer 503 while the database does not."""
        await door.threads.run(lambda: _ask(door.database))
        return {"status": "ok"}

    return own


def _ask(database: Database) -> None:
    with unit_of_work(database) as session:
        session.execute(text("SELECT 1"))
