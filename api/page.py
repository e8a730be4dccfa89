"""`GET /`: the page, its assets, the API's documentation; files that set-up built, read once and held in memory."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response

from api import answers
from api.door import Door
from api.problem import Problem
from registry.domain.prices import Pair
from registry.domain.tier import RANGES
from registry.store import prices
from registry.store.session import Database, unit_of_work

STATIC = Path(__file__).resolve().parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
"""An asset's name holds a hash of what is in it."""
ASKED_AGAIN = "no-cache"
MEDIA_TYPES = MappingProxyType({".js": "text/javascript", ".css": "text/css", ".txt": "text/plain"})
CAUTION = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file as it is sent: as it is, and gzipped."""

    media_type: str
    content: bytes
    gzipped: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What set-up built: the pages by their names, and their assets by theirs."""

    pages: dict[str, bytes]
    assets: dict[str, Asset]


def read_built(directory: Path) -> Built | None:
    """Read it; None if nothing was built."""
    if not (directory / "index.html").is_file():
        return None
    pages = {path.name: path.read_bytes() for path in directory.glob("*.html")}
    return Built(
        pages=pages,
        assets={path.name: _asset(path) for path in directory.glob("assets/*") if path.suffix in MEDIA_TYPES},
    )


def router(door: Door) -> APIRouter:
    """Make the routes."""
    own = APIRouter(include_in_schema=False)
    shown = read_built(STATIC)
    policy = content_security_policy(door.settings.wallet_script_url)

    @own.get("/")
    async def page(request: Request) -> Response:
        return _page(request, shown, "index.html", policy)

    @own.get("/v1/docs")
    async def docs(request: Request) -> Response:
        return _page(request, shown, "docs.html", content_security_policy(None))

    @own.get("/page.json")
    async def page_settings(request: Request) -> Response:
        spot = await door.threads.run(partial(_newest_price, door.database))
        return answers.tagged(request, {**_told(door), "spot_price_feed_units": spot})

    @own.get("/assets/{name}")
    async def asset(request: Request, name: Annotated[str, PathParameter(max_length=200)]) -> Response:
        found = None if shown is None else shown.assets.get(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, code="not_found", detail="there is no such asset; load the page again")
        return _sent(request, found)

    return own


def content_security_policy(wallet_script_url: str | None) -> str:
    """Allow what is ours, and of others a wallet's script and what it asks, if one is configured."""
    ours = " ".join(["'self'", *([_origin(wallet_script_url)] if wallet_script_url else [])])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {ours}",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src {ours}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _told(door: Door) -> dict[str, object]:
    """What the page cannot know by itself; none of it is secret."""
    settings = door.settings
    return {
        "network": settings.network,
        "chain_id": settings.chain_id,
        "api": "/v1",
        "contracts": {
            "registry": settings.registry_contract,
            "pool": settings.pool_contract,
            "sbtc": settings.sbtc_contract,
        },
        "wallet_script": settings.wallet_script_url,
        "offers": [
            {"from_percent": each.from_percent, "to_percent": each.to_percent, "up_to_days": each.up_to_days}
            for each in RANGES
        ],
    }


def _newest_price(database: Database) -> str | None:
    """About what a bitcoin costs, for the page to begin with; the preview that it asks for says it anew."""
    with unit_of_work(database) as session:
        row = prices.newest(session, Pair.BTC_USD)
        return None if row is None else str(row.price)


def _page(request: Request, built: Built | None, name: str, policy: str) -> Response:
    if built is None:
        detail = "the page was not built; run make setup and start this process again"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, code="page_not_built", detail=detail)
    headers = {**CAUTION, "Content-Security-Policy": policy, "Cache-Control": ASKED_AGAIN}
    return answers.unless_had(request, built.pages[name], media_type="text/html", headers=headers)


def _sent(request: Request, asset: Asset) -> Response:
    headers = {**CAUTION, "Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.gzipped, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(path: Path) -> Asset:
    twin = path.with_name(f"{path.name}.gz")
    return Asset(
        media_type=MEDIA_TYPES[path.suffix],
        content=path.read_bytes(),
        gzipped=twin.read_bytes() if twin.is_file() else None,
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
