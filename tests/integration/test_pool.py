"""The pool as a party: providers come and go on chain, losses are theirs, and what is left bounds what is sold."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from registry.domain.errors import NoCapacity, RegistryError
from registry.domain.policy import Edge
from registry.domain.units import PPM, Ppm, Principal, Token
from registry.queries.pool import get_state
from registry.stacks.clarity import StringAscii, UInt
from registry.stacks.contract_reads import ContractReads
from registry.stacks.events import FundsDeposited, FundsWithdrawn, decode_event
from registry.stacks.signing import PrivateKey
from registry.stacks.wire import TESTNET
from registry.store import parameters
from registry.store.session import unit_of_work
from registry_client.answers import PoolState
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.chain import DEPOSITS, Chain, new_key
from tests.integration.driver import Driver
from tests.integration.stack import Holder, Stack, until

SBTC = StringAscii(Token.SBTC.value)
LENT = 5 * 10**8
NOTICE = 1_008
WEEK = 7
OFFERED = 875_000_000
"""What 100 sBTC let Balanced quotes hold: 25 % of 35 %."""


def state_of(driver: Driver, token: Token = Token.SBTC) -> dict[str, Any]:
    found: dict[str, Any] = get_state(driver.database, {}, limits=driver.limits)["tokens"][token.value]
    return found


def applied(driver: Driver, token: Token = Token.SBTC) -> dict[str, Any]:
    """The pool once all that was sent is mined and followed, equal to the chain's to the last unit."""
    driver.chain.mine()
    driver.follow()
    assert_books_equal_the_chain(driver)
    return state_of(driver, token)


def lend(driver: Driver, amount: int = LENT) -> PrivateKey:
    """A provider who has sent a deposit of sBTC."""
    provider = new_key()
    driver.chain.fund(provider)
    driver.chain.mine()
    driver.chain.call(provider, driver.chain.contracts.pool, "deposit", SBTC, UInt(amount))
    return provider


def shares_of(chain: Chain, provider: PrivateKey) -> int:
    """The shares of the sBTC pool that its events say a provider was given, less what was given back."""
    address, held = Principal(provider.address(TESTNET)), 0
    for log in chain.node.logs(chain.contracts.pool).logs:
        event = decode_event(chain.contracts, chain.contracts.pool, log.raw)
        if not isinstance(event, FundsDeposited | FundsWithdrawn):
            continue
        if (event.provider, event.token) == (address, Token.SBTC):
            held += event.shares if isinstance(event, FundsDeposited) else -event.shares
    return held


def worth(driver: Driver, provider: PrivateKey) -> int:
    """What a provider's shares are worth, by the contract's own figures and formula."""
    pool = ContractReads(node=driver.chain.node, contracts=driver.chain.contracts).get_pool(Token.SBTC)
    return shares_of(driver.chain, provider) * (pool.assets + 1) // (pool.shares + 1_000)


def sold_in_sbtc(driver: Driver, amount: int = 10**8) -> Any:
    return driver.buy(premium_token=Token.SBTC.value, protected_amount_sats=amount, duration_days=WEEK)


def paid_out(driver: Driver, policy_id: Any) -> int:
    """Settle a policy at 40 000 USD; answer the payout."""
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.run(policy_id)
    assert driver.edges(policy_id).endswith(Edge.PAID)
    paid = driver.policy(policy_id).settlement_amount_base_units
    assert paid is not None
    driver.chain.price("50000")
    return paid


# providers


def test_a_deposit_can_be_sold_from_the_block_that_holds_it_on(driver: Driver) -> None:
    before = state_of(driver)
    lend(driver)
    driver.follow()
    assert state_of(driver) == before
    after = applied(driver)
    assert after["assets_base_units"] - before["assets_base_units"] == LENT
    assert after["free_base_units"] - before["free_base_units"] == LENT
    gained = {
        name: after["tiers"][name]["usable_base_units"] - tier["usable_base_units"]
        for name, tier in before["tiers"].items()
    }
    assert gained == {
        "Conservative": LENT * 40 * 80 // 10_000,
        "Balanced": LENT * 35 * 80 // 10_000,
        "Aggressive": LENT * 25 * 80 // 10_000,
    }
    assert before["tiers"]["Balanced"]["free_base_units"] == OFFERED
    assert after["tiers"]["Balanced"]["free_base_units"] == OFFERED + LENT * 35 * 25 // 10_000


def test_who_leaves_gives_notice_first_and_takes_what_can_be_sold_with_him(driver: Driver) -> None:
    provider = lend(driver)
    lent, pool = applied(driver), driver.chain.contracts.pool
    shares = UInt(shares_of(driver.chain, provider))
    driver.chain.call(provider, pool, "withdraw", SBTC, shares)
    assert applied(driver) == lent  # without notice the contract refuses
    driver.chain.call(provider, pool, "give-notice", SBTC, shares)
    driver.chain.mine()
    driver.chain.burn(NOTICE)
    assert applied(driver) == lent  # who has given notice still stands in for losses
    driver.chain.call(provider, pool, "withdraw", SBTC, shares)
    left = applied(driver)
    assert left["assets_base_units"] == lent["assets_base_units"] - LENT
    assert left["tiers"]["Balanced"]["free_base_units"] == OFFERED


def test_a_notice_that_was_not_used_in_its_day_lapses(driver: Driver) -> None:
    provider, pool = lend(driver), driver.chain.contracts.pool
    lent = applied(driver)
    shares = UInt(shares_of(driver.chain, provider))
    driver.chain.call(provider, pool, "give-notice", SBTC, shares)
    driver.chain.mine()
    driver.chain.burn(NOTICE + 144)
    driver.chain.call(provider, pool, "withdraw", SBTC, shares)
    assert applied(driver) == lent


def test_what_is_locked_cannot_be_withdrawn(driver: Driver) -> None:
    """The pool's only other provider leaves; the policy stays covered, for the chain refuses."""
    sold_in_sbtc(driver, amount=8 * 10**8)
    chain, pool = driver.chain, driver.chain.contracts.pool
    everything = UInt(shares_of(chain, chain.deployer))
    chain.call(chain.deployer, pool, "give-notice", SBTC, everything)
    chain.mine()
    chain.burn(NOTICE)
    chain.call(chain.deployer, pool, "withdraw", SBTC, everything)
    state = applied(driver)
    assert state["locked_base_units"] == 864_000_000
    assert state["assets_base_units"] >= DEPOSITS[Token.SBTC]


# losses


def test_a_loss_is_borne_by_every_provider_in_proportion_and_lowers_what_can_be_sold(driver: Driver) -> None:
    provider = lend(driver)
    applied(driver)
    policy_id = sold_in_sbtc(driver)
    sold, before = state_of(driver), [worth(driver, each) for each in (provider, driver.chain.deployer)]
    assert sold["locked_base_units"] == sold["tiers"]["Balanced"]["locked_base_units"] == 108_000_000
    paid = paid_out(driver, policy_id)
    assert paid == 12_500_000
    assert_books_equal_the_chain(driver)
    state = state_of(driver)
    assert (state["locked_base_units"], state["tiers"]["Balanced"]["locked_base_units"]) == (0, 0)
    # nothing was earned meanwhile but the premium's part of a few blocks
    earned = state["assets_base_units"] - sold["assets_base_units"] + paid
    assert 0 <= earned < paid // 100
    after = [worth(driver, each) for each in (provider, driver.chain.deployer)]
    assert after[0] < before[0]
    lost = [before[each] - after[each] for each in range(2)]
    assert lost[0] * DEPOSITS[Token.SBTC] == pytest.approx(lost[1] * LENT, rel=1e-3)
    usable = [each["tiers"]["Balanced"]["usable_base_units"] for each in (sold, state)]
    assert usable[1] == state["assets_base_units"] * 28 // 100 < usable[0]


def test_utilisation_follows_locks_and_reservations(driver: Driver) -> None:
    assert state_of(driver)["utilisation_ppm"] == 0
    driver.quote(premium_token=Token.SBTC.value, protected_amount_sats=10**8)
    reserved = state_of(driver)
    assert (reserved["reserved_base_units"], reserved["utilisation_ppm"]) == (108_000_000, 0)
    assert reserved["tiers"]["Balanced"]["utilisation_ppm"] == 108_000_000 * PPM // 2_800_000_000
    sold_in_sbtc(driver)
    locked = state_of(driver)
    assert locked["locked_base_units"] == locked["reserved_base_units"] == 108_000_000
    assert locked["utilisation_ppm"] == 108_000_000 * PPM // locked["assets_base_units"]


# what is free


def _only_the_tier_bounds(driver: Driver) -> None:
    driver.limits = replace(driver.limits, tier_ppm=Ppm(PPM))
    with unit_of_work(driver.database) as session:
        _, in_force = parameters.current(session)
        share = replace(in_force, balanced_share_ppm=Ppm(109_375))
        parameters.put_in_force(session, share, reason="80 % of it are 875 000 000")


@pytest.mark.parametrize("prepare", [lambda _: None, _only_the_tier_bounds], ids=["open_quotes", "tier"])
def test_exactly_what_is_free_is_sold_and_one_unit_more_is_refused(
    driver: Driver, prepare: Callable[[Driver], None], request: pytest.FixtureRequest
) -> None:
    prepare(driver)
    balanced = state_of(driver)["tiers"]["Balanced"]
    assert (balanced["free_base_units"], balanced["bound"]) == (OFFERED, request.node.callspec.id)
    asked = {"premium_token": Token.SBTC.value, "protected_value_price_feed_units": 45_000 * 10**8}
    amount = OFFERED * 100 // 108  # 0.9 of the spot, 120 % of it locked, ceiled
    with pytest.raises(NoCapacity) as refused:
        driver.quote(protected_amount_sats=amount + 1, **asked)
    assert refused.value.figures == {
        "tier": "Balanced",
        "token": "sBTC",
        "free": OFFERED,
        "needed": OFFERED + 1,
        "bound": request.node.callspec.id,
    }
    driver.quote(protected_amount_sats=amount, **asked)
    assert state_of(driver)["tiers"]["Balanced"]["free_base_units"] == 0


# through the client


def test_the_pool_is_told_through_the_client_as_its_events_made_it(stack: Stack) -> None:
    stack.chain.burn()

    def told() -> PoolState:
        return stack.client.get_pool_state().answer()

    until(lambda: told()["height"] == stack.chain.node.tip().burn_height, seconds=20)
    state = told()
    assert {name: each["assets_base_units"] for name, each in state["tokens"].items()} == DEPOSITS
    assert state["tokens"]["STX"]["tiers"]["Balanced"]["usable_base_units"] == DEPOSITS[Token.STX] * 28 // 100


def test_of_two_requests_at_once_for_the_last_of_it_one_gets_it(stack: Stack) -> None:
    holders = [Holder(stack=stack), Holder(stack=stack)]
    amount = 500_000_000  # of which one is covered, two are not

    def ask(holder: Holder) -> dict[str, Any] | RegistryError:
        try:
            return holder.request(premium_token=Token.SBTC.value, protected_amount_sats=amount)
        except RegistryError as refused:
            return refused

    with ThreadPoolExecutor(max_workers=2) as threads:
        answers = list(threads.map(ask, holders))
    refused = [each for each in answers if isinstance(each, RegistryError)]
    assert [type(each) for each in refused] == [NoCapacity]
    assert refused[0].figures["free"] == OFFERED - 540_000_000
    free = stack.client.get_pool_state().answer()["tokens"]["sBTC"]["tiers"]["Balanced"]["free_base_units"]
    assert free == OFFERED - 540_000_000
