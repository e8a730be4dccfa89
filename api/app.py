"""The application: its routers, one a noun, and how it refuses."""

from fastapi import FastAPI

from api import events, health, problem
from api.door import Door


def create_app(door: Door) -> FastAPI:
    """Put the front door together."""
    app = FastAPI(title="Policy Registry", openapi_url=None, redirect_slashes=False)
    problem.install(app)
    app.include_router(health.router(door))
    app.include_router(events.router(door))
    return app
