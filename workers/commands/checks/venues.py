"""Price venues: which of them answer, and how far each is from the median."""

from collections.abc import Mapping
from functools import partial

from registry.domain.oracle import Aggregate
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.units import PPM
from registry.store import parameters
from registry.store.session import unit_of_work
from workers.commands.checks.check import Checks, held, ok, problem, warning
from workers.commands.paper import dollars
from workers.runtime import Runtime

_DIGITS = {Pair.BTC_USD: 2, Pair.STX_USD: 4}
PAIRS = tuple(_DIGITS)
_ENOUGH = "nothing while enough others agree"


def look(runtime: Runtime) -> Checks:
    """Look at each pair that policies are priced by."""
    for pair in PAIRS:
        yield from held(pair.value, partial(prices, runtime, pair))


def prices(runtime: Runtime, pair: Pair) -> Checks:
    """One pair at every venue that is not switched off, and what they agree on."""
    rules = _rules(runtime)
    needed = rules.min_sources(pair)
    try:
        agreed = runtime.feed.price(pair, parameters=rules)
    except PriceUnavailable as error:
        found = f"{error.figures.get('used', 0)} of the {needed} venues needed are left"
        yield problem(pair.value, found, do="see to the venues below: nothing is quoted or paid without a price")
        told = error.figures.get("venues")
        yield from _silent(pair, told if isinstance(told, dict) else {}, rules=rules)
        return
    yield ok(pair.value, f"{_shown(pair, agreed.price)} by {len(agreed.used)} venues, {needed} are needed")
    yield from _distances(agreed)
    yield from _silent(pair, {each.venue: each.reason for each in agreed.failures}, rules=rules)


def _rules(runtime: Runtime) -> Parameters:
    """Judge by what is in force; before there is a database, by the defaults."""
    try:
        with unit_of_work(runtime.database) as session:
            return parameters.current(session)[1]
    except Exception:  # noqa: BLE001 - the database has lines of its own
        return Parameters()


def _distances(agreed: Aggregate) -> Checks:
    for each in sorted(agreed.observations, key=lambda one: one.venue):
        name = f"{agreed.pair.value} {each.venue}"
        apart = (each.price - agreed.price) * PPM // agreed.price
        found = f"{_shown(agreed.pair, each.price)}, {apart:+} ppm from the median"
        if each.excluded is None:
            yield ok(name, found)
        else:
            yield warning(
                name, f"{found}; left out: {each.excluded}", do=f"{_ENOUGH}, or {_switch(each.venue, on=False)}"
            )


def _silent(pair: Pair, reasons: Mapping[str, str], *, rules: Parameters) -> Checks:
    """Venues that are not among those agreed on, and why."""
    for venue, reason in sorted(reasons.items()):
        todo = (
            _switch(venue, on=True)
            if venue in rules.venues_off
            else f"{_ENOUGH}, or see whether this machine reaches it"
        )
        yield warning(f"{pair.value} {venue}", str(reason), do=todo)


def _switch(venue: str, *, on: bool) -> str:
    return f"registry parameters set venue_{venue}_enabled={str(on).lower()} --reason …"


def _shown(pair: Pair, price: int) -> str:
    return dollars(price, digits=_DIGITS[pair])
