"""The application: its routers, one a noun, and how it refuses."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import (
    activations,
    creations,
    document,
    events,
    exports,
    health,
    keys,
    live,
    page,
    policies,
    pool,
    problem,
    quotes,
    sessions,
    stats,
    submissions,
    webhooks,
)
from api.counted import Counted
from api.door import Door
from api.limits import Limits, Rates
from api.listener import Listener, listening
from api.middleware import REQUEST_ID, REQUEST_SECONDS, SMALL, Bounded, Front

VERSION = "/v1"
SHOWN = [REQUEST_ID, "ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed"]
"""Headers of answers that a page of another origin may read."""


def create_app(door: Door) -> FastAPI:
    """Put the front door together: `/v1` for callers, `/events` for nodes and hooks."""
    limits = Limits((door.settings.limits_url or door.settings.broker_url).get_secret_value())

    @asynccontextmanager
    async def held(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(limits.close)
            await stack.enter_async_context(listening(Listener(door.database, door.streams), door.figures))
            yield

    app = FastAPI(
        title="Policy Registry",
        version="1",
        summary="Put-option policies on bitcoin, sold from a liquidity pool on the Stacks chain.",
        openapi_url=f"{VERSION}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=held,
    )
    problem.install(app)
    document.install(app)
    _pass_through(app, door, limits)
    app.include_router(page.router(door))
    app.include_router(health.router(door))
    app.include_router(events.router(door))
    app.include_router(_versioned(door))
    return app


def _pass_through(app: FastAPI, door: Door, limits: Limits) -> None:
    """Have every request pass what all have in common; what is added last is passed first."""
    settings = door.settings
    app.add_middleware(Bounded, bounds=door.bounds.within(SMALL))
    app.add_middleware(Counted, guard=door.guard, limits=limits, rates=Rates.of(settings))
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    # an action waits as long as its answer may be waited for
    app.add_middleware(Front, seconds=REQUEST_SECONDS + settings.api_wait_seconds)
    if settings.api_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "Last-Event-ID",
                "Prefer",
            ],
            expose_headers=SHOWN,
            max_age=600,
        )
    if settings.api_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.api_proxies))


def _versioned(door: Door) -> APIRouter:
    versioned = APIRouter(prefix=VERSION)
    for each in (policies, stats, pool, exports, quotes, creations, activations, submissions):
        versioned.include_router(each.router(door))
    versioned.include_router(sessions.router(door))
    versioned.include_router(keys.router(door))
    versioned.include_router(live.router(door))
    versioned.include_router(webhooks.router(door))
    return versioned
