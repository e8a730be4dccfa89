"""Tasks about webhooks: make messages of the feed, tell of policies that need a look, send what is due, forget."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import timedelta
from uuid import UUID

from registry.domain.prices import PriceUnavailable
from registry.domain.webhook import WebhooksOff
from registry.outside.addresses import Reach
from registry.outside.posting import Poster
from registry.services import notices, webhooks
from registry.services.webhooks import Sender
from workers import canvases
from workers.app import app
from workers.runtime import Runtime, runtime
from workers.webhook_secret import read_webhook_secret

PAGE = 200
MOST_PAGES = 20
MOST_FORGOTTEN = 500
LANES = 8
"""Endpoints that are sent to side by side: one that is slow holds up none of the others."""
ROUND_SECONDS = 20.0
"""For how long one task begins to send; what it has begun then ends within its own bounds."""
LOOK_SECONDS = 0.5
"""How soon what has become due meanwhile is found, while some are being sent to."""


@app.task(name="webhooks.collect")
def collect() -> int:
    """Make messages of the events that the feed has had since; answer how many events those were."""
    own, read = runtime(), 0
    for _ in range(MOST_PAGES):
        page = webhooks.collect(own.database, now=own.now(), limit=PAGE)
        read += page
        if page < PAGE:
            break
    return read


@app.task(name="webhooks.notice")
def notice() -> None:
    """Tell of policies that run out soon or are in the money; where prices are too old to say so, have some fetched."""
    own = runtime()
    height = own.height()
    if height is None:
        return
    _each_page(
        lambda after: notices.expiring_soon(
            own.database,
            height=height.tip,
            blocks=own.settings.notice_blocks,
            now=own.now(),
            limit=PAGE,
            after=after,
        )
    )
    try:
        _tell_of_payouts(own)
    except PriceUnavailable:
        canvases.payout_notices().delay()


@app.task(name="webhooks.notice_payouts")
def notice_payouts() -> None:
    """Tell of policies that are in the money by prices that were just fetched."""
    _tell_of_payouts(runtime())


def _tell_of_payouts(own: Runtime) -> None:
    height = own.height()
    if height is not None:
        _each_page(
            lambda after: notices.in_the_money(own.database, height=height.tip, now=own.now(), limit=PAGE, after=after)
        )


def _each_page(page: Callable[[UUID | None], UUID | None]) -> None:
    """Go through pages; what is left after the most of them is found by the next round, for who was told is told."""
    after: UUID | None = None
    for _ in range(MOST_PAGES):
        after = page(after)
        if after is None:
            return


@app.task(name="webhooks.deliver")
def deliver() -> int:
    """Send what is due, to several endpoints side by side, for a bounded time; answer how many arrived."""
    own = runtime()
    if not webhooks.due_endpoints(own.database, now=own.now(), limit=1):
        return 0
    sender = _sender(own)
    ends, arrived = time.monotonic() + ROUND_SECONDS, 0
    served: dict[Future[int], UUID] = {}
    with ThreadPoolExecutor(max_workers=LANES, thread_name_prefix="webhooks") as threads:
        while True:
            if time.monotonic() < ends and len(served) < LANES:
                for endpoint in webhooks.due_endpoints(
                    own.database, now=own.now(), limit=LANES - len(served), without=served.values()
                ):
                    lane = copy_context().run
                    served[threads.submit(lane, webhooks.serve, own.database, sender, endpoint)] = endpoint
            if not served:
                return arrived
            done, _ = wait(served, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for each in done:
                del served[each]
                arrived += each.result()


@app.task(name="webhooks.forget")
def forget() -> int:
    """Remove what was sent long ago; answer how many messages."""
    own = runtime()
    before = own.now() - timedelta(days=own.settings.webhook_days)
    return webhooks.forget(own.database, before=before, limit=MOST_FORGOTTEN)


def _sender(own: Runtime) -> Sender:
    settings = own.settings
    master = read_webhook_secret(settings.webhook_secret_file)
    if master is None:
        raise WebhooksOff
    reach = Reach.ANY if settings.webhook_private_addresses else Reach.PUBLIC
    return Sender(
        poster=Poster(seconds=settings.webhook_seconds, reach=reach),
        master=master,
        clock=own.now,
        within=timedelta(hours=settings.webhook_hours),
    )
