"""A venue switched off by an operator while the workers run: the next fetch does without it, and says so."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlmodel import col

from registry.domain.parameters import Parameters
from registry.domain.prices import Pair, PriceUnavailable
from registry.store import parameters
from registry.store.session import unit_of_work
from registry.store.tables import PriceRow
from tests.integration.chain import ROOT
from tests.integration.stack import Holder, Stack


def switch(stack: Stack, *changes: str) -> None:
    """As an operator does, with the command."""
    argv = [sys.executable, "-m", "workers.cli", "parameters", "set", *changes, "--reason", "it is being tested"]
    environment = {"PATH": os.environ["PATH"], **stack.environment}
    subprocess.run(argv, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=30)  # noqa: S603 - our own program


@pytest.fixture
def switched(holder: Holder) -> Iterator[Holder]:
    """An owner; every venue is on again afterwards."""
    yield holder
    with unit_of_work(holder.stack.database) as session:
        parameters.put_in_force(session, Parameters(), reason="the defaults again")


def newest_price(stack: Stack) -> PriceRow:
    """What the worker kept of its last fetch."""
    newest = select(PriceRow).where(col(PriceRow.pair) == Pair.BTC_USD).order_by(col(PriceRow.id).desc()).limit(1)
    with unit_of_work(stack.database) as session:
        return session.execute(newest).scalar_one()


def test_a_switch_takes_effect_with_the_next_fetch_of_workers_that_run(switched: Holder) -> None:
    stack = switched.stack
    switched.request()
    with_all = newest_price(stack)
    assert (len(with_all.observations), with_all.failures) == (5, {})
    switch(stack, "venue_kraken_enabled=false")
    switched.request()
    without = newest_price(stack)
    assert without.id != with_all.id
    assert without.failures == {"kraken": "it is switched off"}
    assert {each["venue"] for each in without.observations} == {"coinbase", "bitstamp", "binance", "pyth"}
    switch(stack, "venue_pyth_enabled=false", "venue_coinbase_enabled=false")
    with pytest.raises(PriceUnavailable, match="2 of the 3 sources needed are left") as refused:
        switched.request()
    off = dict.fromkeys(("coinbase", "kraken", "pyth"), "it is switched off")
    assert refused.value.figures["venues"] == off
    switch(stack, "venue_pyth_enabled=true")
    switched.request()
    assert set(newest_price(stack).failures) == {"coinbase", "kraken"}
