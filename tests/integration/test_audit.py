"""The audit holds where the world is sound, and each of its checks fails where it is not."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg2
import pytest
from sqlalchemy import make_url, update
from sqlmodel import col

from registry.domain.policy import OnChainStatus
from registry.domain.units import Principal, Token
from registry.market.catalogue import feed
from registry.market.http import Http
from registry.stacks import contracts as calls
from registry.stacks.clarity import UInt, from_hex, parse_principal
from registry.stacks.wire import TESTNET, SmartContract, TokenTransfer
from registry.store.session import Database, unit_of_work
from registry.store.tables import QuoteRow
from tests.integration.chain import CLARITY, DEPOSITS, POCKET_MONEY, Chain
from tests.integration.conftest import make_database
from tests.integration.driver import Driver
from workers.audit.audit import CHECKS, Audit, audit, judge
from workers.audit.chain import Account, Addresses, ChainReader
from workers.audit.chain import Chain as ChainFacts
from workers.audit.ledger import NothingApplied, read_ledger
from workers.audit.records import Ledger
from workers.demo.forger import CONTRACT, CONTRACT_SOURCE

STILL_ACTIVE = 5
"""The on-chain id of the policy that was bought and left alone."""

GONE_WRONG_IN_POSTGRES = {
    "statuses_agree_with_the_contract": (
        "UPDATE policies SET status_detailed = 'Expiring' WHERE status_detailed = 'Settled'"
    ),
    "terms_are_those_of_the_purchase": (
        "UPDATE policies SET protected_amount_sats = protected_amount_sats + 1 WHERE status_detailed = 'Active'"
    ),
    "others_entries_are_skipped": (
        "UPDATE policies SET policy_id_on_chain = (SELECT max(policy_id_on_chain) FROM chain_events)"
        " WHERE status_detailed = 'Active'"
    ),
    "quarantined_are_left_alone": (
        "INSERT INTO activation_requests (id, policy_id, idempotency_key, requested_at, requested_height, state)"
        " SELECT id, id, 'any', now(), 1, 'open' FROM policies WHERE status_detailed = 'Quarantined'"
    ),
    "events_walk_the_diagram": (
        "ALTER TABLE policy_events DISABLE TRIGGER USER; DELETE FROM policy_events WHERE edge = 'c'"
    ),
    "one_payout_per_settled_policy_as_pinned": (
        "UPDATE settlements SET amount_base_units = amount_base_units - 1 WHERE token = 'sBTC'"
    ),
    "payouts_follow_from_pinned_prices": "UPDATE settlements SET capped = NOT capped",
    "one_effect_per_intent": "UPDATE policies SET tx_id_status_update = tx_id_creation WHERE status_on_chain = 2",
    "nonces_have_no_gap": (
        "UPDATE transactions SET nonce = nonce + 1 WHERE nonce = (SELECT max(nonce) FROM transactions)"
    ),
    "pool_mirror_agrees_with_the_contract": "UPDATE pool_books SET assets = assets + 1 WHERE token = 'sBTC'",
    "tier_capital_adds_up": "UPDATE tier_capital SET locked_base_units = locked_base_units + 1 WHERE token = 'STX'",
    "no_collateral_left_behind": (
        "UPDATE reservations SET state = 'locked'"
        " WHERE policy_id IN (SELECT id FROM policies WHERE status_detailed = 'Expired')"
    ),
}


def owners(chain: ChainFacts, change: Callable[[Account], Account]) -> ChainFacts:
    return replace(chain, accounts={owner: change(account) for owner, account in chain.accounts.items()})


def richer(chain: ChainFacts) -> ChainFacts:
    return owners(chain, lambda own: replace(own, balance={**own.balance, Token.STX: own.balance[Token.STX] + 1}))


def without_a_position(chain: ChainFacts) -> ChainFacts:
    kept = {on_chain: each for on_chain, each in chain.positions.items() if on_chain != STILL_ACTIVE}
    return replace(chain, positions=kept)


def with_more_locked(chain: ChainFacts) -> ChainFacts:
    pool = chain.pools[Token.STX]
    return replace(chain, pools={**chain.pools, Token.STX: replace(pool, locked=pool.locked + 1)})


GONE_WRONG_ON_CHAIN: dict[str, Callable[[ChainFacts], ChainFacts]] = {
    "registry_and_pool_agree": without_a_position,
    "refused_calls_left_nothing": lambda chain: owners(chain, lambda own: replace(own, touched=own.refused)),
    "pool_balance_is_assets_plus_unearned": lambda chain: replace(
        chain, booked={token: amount - 1 for token, amount in chain.booked.items()}
    ),
    "pool_balance_is_what_flowed": lambda chain: replace(chain, deposits=chain.deposits[1:]),
    "owners_balances_add_up": richer,
    "locked_is_the_open_collateral": with_more_locked,
}


@dataclass(frozen=True)
class World:
    """Lives that ended in every way, policies that have not, and what strangers tried."""

    url: str
    driver: Driver

    @property
    def addresses(self) -> Addresses:
        ours = self.driver.chain.contracts
        return Addresses(stacks_url=self.driver.chain.url, registry=ours.registry, pool=ours.pool, sbtc=ours.sbtc)

    @property
    def openings(self) -> dict[str, dict[str, int]]:
        chain = self.driver.chain
        treasury = chain.node.call_read(chain.contracts.pool, "get-treasury", sender=self.driver.owner)
        return {
            self.driver.owner: {Token.STX: POCKET_MONEY, Token.SBTC: 10**9},
            chain.deployer.address(TESTNET): {Token.STX: DEPOSITS[Token.STX] + POCKET_MONEY, Token.SBTC: 10**12},
            str(treasury): {Token.STX: 0, Token.SBTC: 0},
        }

    def audit(self) -> Audit:
        return audit(self.url, self.addresses, openings=self.openings)

    def facts(self) -> tuple[Ledger, ChainFacts]:
        ledger = read_ledger(self.url)
        with contextlib.closing(ChainReader(self.addresses)) as reader:
            signers = [signer.principal for signer in ledger.signers]
            return ledger, reader.read(block=ledger.block, signers=signers, openings=self.openings)


def make_world(url: str, chain: Chain) -> World:
    database = Database(url)
    venues = feed(http=Http(), venue_url=f"{chain.url}/venues", pyth_api_key="any")
    chain.price("50000")
    driver = Driver(database=database, chain=chain, feed=venues)
    live(driver)
    # A database is copied only while nobody is connected to it.
    database.close()
    return World(url=url, driver=driver)


def live(driver: Driver) -> None:
    chain = driver.chain
    chain.fund(driver.wallet)
    code = CONTRACT_SOURCE.format(registry=chain.contracts.registry, strike=1, amount=1)
    chain.send(driver.wallet, SmartContract(name=CONTRACT, code=code, clarity_version=CLARITY))
    chain.mine()
    driver.follow()
    settled = [driver.buy(premium_token=token.value) for token in Token]
    capped = driver.buy(protected_value_price_feed_units=40_000 * 10**8)
    runs_out = driver.buy(protected_value_price_feed_units=38_000 * 10**8, duration_days=7)
    driver.buy()
    buy_what_is_lost(driver)
    be_refused(driver)
    chain.price("41000", stx="1.7")
    pay(driver, *settled)
    chain.price("22000", stx="0.5")
    pay(driver, capped)
    chain.burn(1100)
    driver.follow()
    driver.expire(runs_out)
    driver.run(runs_out)


def pay(driver: Driver, *policy_ids: UUID) -> None:
    for policy_id in policy_ids:
        driver.activate(policy_id)
        driver.run(policy_id)


def buy_what_is_lost(driver: Driver) -> None:
    lost = driver.quote()
    policy_id = UUID(lost["policy"]["id"])
    with unit_of_work(driver.database) as session:
        session.execute(update(QuoteRow).where(col(QuoteRow.policy_id) == policy_id).values(quote_id=b"\0" * 16))
    driver.chain.buy(driver.wallet, lost["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()


def be_refused(driver: Driver) -> None:
    """Try to buy for less, and make an entry as another counterparty."""
    payload = driver.quote()["wallet_payload"]
    quote_id, _, terms, signature = (from_hex(each) for each in payload["functionArgs"])
    pool = driver.chain.contracts.pool
    driver.chain.call(driver.wallet, pool, payload["functionName"], quote_id, UInt(10**6), terms, signature)
    expiration = driver.chain.node.tip().burn_height + 10_000
    driver.chain.call(driver.wallet, Principal(f"{driver.owner}.{CONTRACT}"), "enter", UInt(expiration))
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()


@pytest.fixture(scope="module")
def sound(own_chain: Chain, database_url: str) -> World:
    """One for all tests that leave it as it is."""
    return make_world(database_url, own_chain)


@pytest.fixture(scope="module")
def facts(sound: World) -> tuple[Ledger, ChainFacts]:
    return sound.facts()


@pytest.fixture
def world(postgres: str, template: str, chain: Chain) -> Iterator[World]:
    """One of the test's own."""
    with make_database(postgres, template) as url:
        yield make_world(url, chain)


@contextlib.contextmanager
def copied(postgres: str, source: str, *, spoilt_by: str) -> Iterator[str]:
    """A copy of a database in which something has gone wrong."""
    with make_database(postgres, str(make_url(source).database)) as url:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute(spoilt_by)
            assert cursor.rowcount > 0
        connection.close()
        yield url


def broken(found: Audit) -> set[str]:
    assert found.ok == all(found.checks.values())
    assert set(found.details) == {name for name, holds in found.checks.items() if not holds}
    return set(found.details)


def test_every_check_holds_in_a_sound_world_that_has_everything(sound: World, facts: tuple[Ledger, ChainFacts]) -> None:
    found = sound.audit()
    assert found.ok, found.details
    ledger, chain = facts
    statuses = sorted(policy.status for policy in ledger.policies)
    pending = ["PendingCreation"] * 2
    assert statuses == ["Active", "Expired", *pending, "Quarantined", "Settled", "Settled", "Settled"]
    assert any(pinned.capped for pinned in ledger.pinned.values())
    assert [entry.counterparty for entry in chain.entries.values()].count(chain.pool) == len(chain.entries) - 1
    assert len(chain.accounts[sound.driver.owner].refused) == 1


def test_every_check_is_seen_to_fail_below() -> None:
    assert set(GONE_WRONG_IN_POSTGRES) | set(GONE_WRONG_ON_CHAIN) == set(CHECKS)


@pytest.mark.parametrize("check", GONE_WRONG_IN_POSTGRES)
def test_a_check_fails_when_its_rows_are_spoilt(
    check: str, sound: World, facts: tuple[Ledger, ChainFacts], postgres: str
) -> None:
    with copied(postgres, sound.url, spoilt_by=GONE_WRONG_IN_POSTGRES[check]) as url:
        assert check in broken(judge(read_ledger(url), facts[1]))


@pytest.mark.parametrize("check", GONE_WRONG_ON_CHAIN)
def test_a_check_fails_when_the_chain_says_otherwise(check: str, facts: tuple[Ledger, ChainFacts]) -> None:
    ledger, chain = facts
    assert check in broken(judge(ledger, GONE_WRONG_ON_CHAIN[check](chain)))


def test_coins_that_nobody_booked_break_the_pools_balance_and_no_other_check_but_its_flows(world: World) -> None:
    chain = world.driver.chain
    gift = TokenTransfer(recipient=parse_principal(chain.contracts.pool), amount=1)
    chain.send(chain.backend, gift)
    chain.mine()
    assert broken(world.audit()) == {
        "pool_balance_is_assets_plus_unearned",
        "pool_balance_is_what_flowed",
        "nonces_have_no_gap",  # it was the backend's key that gave it
    }


def test_what_the_backends_key_did_elsewhere_is_found(world: World) -> None:
    driver = world.driver
    driver.chain.burn(5_000)
    ours = driver.chain.contracts
    driver.chain.order_call(driver.chain.backend, calls.update_policy_status(ours, STILL_ACTIVE, OnChainStatus.EXPIRED))
    driver.chain.mine()
    driver.follow()
    assert broken(world.audit()) == {
        "statuses_agree_with_the_contract",
        "registry_and_pool_agree",
        "nonces_have_no_gap",
    }


def test_payouts_that_do_not_add_up_are_found(facts: tuple[Ledger, ChainFacts]) -> None:
    ledger, chain = facts
    first, *others = chain.payouts
    for spoilt in ((replace(first, received=0), *others), (first, *chain.payouts), tuple(others)):
        found = broken(judge(ledger, replace(chain, payouts=spoilt)))
        assert "one_payout_per_settled_policy_as_pinned" in found


def test_a_payout_by_prices_other_than_the_pinned_ones_is_found(facts: tuple[Ledger, ChainFacts]) -> None:
    ledger, chain = facts
    for policy_id, pinned in ledger.pinned.items():
        dearer = {pair: price + 10**8 for pair, price in pinned.kept.items()}
        spoilt = replace(ledger, pinned={**ledger.pinned, policy_id: replace(pinned, said=dearer, kept=dearer)})
        assert broken(judge(spoilt, chain)) == {"payouts_follow_from_pinned_prices"}


def test_an_effect_that_was_had_twice_is_found(facts: tuple[Ledger, ChainFacts]) -> None:
    ledger, chain = facts
    done = next(intent for intent in ledger.intents if intent.is_done)
    assert broken(judge(replace(ledger, intents=(*ledger.intents, done)), chain)) == {"one_effect_per_intent"}
    released = replace(chain, releases=(*chain.releases, *chain.releases))
    assert broken(judge(ledger, released)) == {"one_effect_per_intent"}


def test_an_empty_database_is_not_taken_for_a_sound_one(postgres: str, template: str, sound: World) -> None:
    with make_database(postgres, template) as url, pytest.raises(NothingApplied):
        audit(url, sound.addresses)
