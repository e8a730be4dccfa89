"""The application: its routers, one a noun, and how it refuses."""

from fastapi import APIRouter, FastAPI

from api import events, health, problem
from api.door import Door

VERSION = "/v1"


def create_app(door: Door) -> FastAPI:
    """Put the front door together: `/v1` for callers, `/events` for nodes and hooks."""
    app = FastAPI(
        title="Policy Registry",
        version="1",
        summary="Put-option policies on bitcoin, sold from a liquidity pool on the Stacks chain.",
        openapi_url=f"{VERSION}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    problem.install(app)
    app.include_router(health.router(door))
    app.include_router(events.router(door))
    app.include_router(_versioned(door))
    return app


def _versioned(_door: Door) -> APIRouter:
    return APIRouter(prefix=VERSION)
