"""A request that is repeated before it was recorded: a price that is fresh is found, and no venue is asked again."""

from uuid import uuid4

from sqlalchemy import text

from registry.market.feed import Feed
from registry.services import creation, prices
from registry.store.session import unit_of_work
from tests.integration.acting import fetched, policies_of
from tests.integration.leftovers import REQUEST
from tests.integration.stack import Holder


def priced(holder: Holder, venues: Feed, key: str) -> None:
    """A request whose canvas was lost after its price."""
    stack = holder.stack
    asked = creation.ask(stack.database, stack.chain.contracts, owner=holder.address, key=key, body=REQUEST)
    ids = prices.fetch(stack.database, venues, asked.pairs)
    creation.price(stack.database, asked.quote, price_ids=ids, now=venues.clock())


def test_a_repeat_of_what_was_priced_just_now_asks_no_venue(holder: Holder, venues: Feed) -> None:
    stack, key = holder.stack, str(uuid4())
    priced(holder, venues, key)
    before = fetched(stack.database)
    answers = [stack.client.request_creation(holder.address, REQUEST, idempotency_key=key) for _ in range(3)]
    policies = {each.answer()["policy"]["id"] for each in answers}
    assert (len(policies), policies_of(stack.database, holder.address)) == (1, 1)
    assert fetched(stack.database) == before


def test_a_repeat_of_what_was_priced_long_ago_is_priced_anew(holder: Holder, venues: Feed) -> None:
    stack, key = holder.stack, str(uuid4())
    priced(holder, venues, key)
    with unit_of_work(stack.database) as session:
        session.execute(text("UPDATE prices SET observed_at = observed_at - interval '1 hour'"))
    before = fetched(stack.database)
    asked = stack.client.request_creation(holder.address, REQUEST, idempotency_key=key)
    assert asked.answer()["quote"]["pricing"]["prices"][0]["price"] == 50_000 * 10**8
    assert fetched(stack.database) - before == 2
