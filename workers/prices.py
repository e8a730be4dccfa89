"""Tasks about prices and what follows from them: fetch, premium, capacity."""

from uuid import UUID

from registry.domain.prices import Pair
from registry.services import creation, prices
from workers.app import app
from workers.runtime import runtime


@app.task(name="prices.fetch")
def fetch(*, pairs: list[str]) -> list[int]:
    """Agree on a price for each pair; answer the rows' ids."""
    own = runtime()
    return prices.fetch(own.database, own.feed, [Pair(pair) for pair in pairs])


@app.task(name="premiums.quote")
def quote_premium(price_ids: list[int], *, quote: str) -> None:
    """Price a request by the prices just fetched."""
    own = runtime()
    creation.price(own.database, UUID(quote), price_ids=price_ids, now=own.now())


@app.task(name="pool.check_capacity")
def check_capacity(*, quote: str) -> None:
    """Refuse what the pool cannot cover."""
    own = runtime()
    creation.check_capacity(own.database, UUID(quote), limits=own.limits)
