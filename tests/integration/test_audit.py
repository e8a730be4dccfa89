"""The audit holds where the world is sound, and each of its checks fails where it is not."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
import pytest
from sqlalchemy import make_url

from registry.domain.policy import OnChainStatus
from registry.domain.units import Token
from registry.market.feed import Feed
from registry.stacks import contracts as calls
from registry.stacks.clarity import parse_principal
from registry.stacks.wire import TokenTransfer
from registry.store.session import Database
from tests.integration.chain import Chain
from tests.integration.conftest import make_database
from tests.integration.driver import Driver
from workers.audit.audit import CHECKS, Audit, audit, judge
from workers.audit.chain import Addresses, ChainReader
from workers.audit.chain import Chain as ChainFacts
from workers.audit.ledger import Ledger, NothingApplied, read_ledger

GONE_WRONG_IN_POSTGRES = {
    "statuses_agree_with_the_contract": (
        "UPDATE policies SET status_detailed = 'Expiring' WHERE status_detailed = 'Settled'"
    ),
    "pool_mirror_agrees_with_the_contract": "UPDATE pool_books SET assets = assets + 1 WHERE token = 'sBTC'",
    "tier_capital_adds_up": "UPDATE tier_capital SET locked_base_units = locked_base_units + 1 WHERE token = 'STX'",
    "no_collateral_left_behind": (
        "UPDATE reservations SET state = 'locked'"
        " WHERE policy_id IN (SELECT id FROM policies WHERE status_detailed = 'Expired')"
    ),
    "nonces_have_no_gap": (
        "UPDATE transactions SET nonce = nonce + 1 WHERE nonce = (SELECT max(nonce) FROM transactions)"
    ),
    "one_payout_per_settled_policy_as_pinned": (
        "UPDATE settlements SET amount_base_units = amount_base_units - 1 WHERE token = 'sBTC'"
    ),
    "events_walk_the_diagram": (
        "ALTER TABLE policy_events DISABLE TRIGGER USER; DELETE FROM policy_events WHERE edge = 'c'"
    ),
}

STILL_ACTIVE = 4
"""The on-chain id of the last policy that was bought."""


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    with make_database(postgres, template) as url:
        yield url


@pytest.fixture
def world(database_url: str, chain: Chain, venues: Feed) -> Driver:
    """Lives that ended in every way, and one policy that is still Active."""
    database = Database(database_url)
    driver = Driver(database=database, chain=chain, feed=venues)
    live(driver)
    # A database is copied only while nobody is connected to it.
    database.close()
    return driver


def live(driver: Driver) -> None:
    driver.chain.fund(driver.wallet)
    driver.chain.mine()
    driver.follow()
    settled = [driver.buy(premium_token=token.value) for token in Token]
    runs_out = driver.buy(protected_value_price_feed_units=38_000 * 10**8, duration_days=7)
    driver.buy()
    driver.quote()
    driver.chain.price("41000", stx="1.7")
    for policy_id in settled:
        driver.activate(policy_id)
        driver.run(policy_id)
    driver.chain.burn(1100)
    driver.follow()
    driver.expire(runs_out)
    driver.run(runs_out)


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


def addresses(chain: Chain) -> Addresses:
    ours = chain.contracts
    return Addresses(stacks_url=chain.url, registry=ours.registry, pool=ours.pool, sbtc=ours.sbtc)


def facts(world: Driver, database_url: str) -> tuple[Ledger, ChainFacts]:
    ledger = read_ledger(database_url)
    with contextlib.closing(ChainReader(addresses(world.chain))) as reader:
        return ledger, reader.read(block=ledger.block, signers=[signer.principal for signer in ledger.signers])


def broken(found: Audit) -> set[str]:
    assert found.ok == all(found.checks.values())
    assert set(found.details) == {name for name, holds in found.checks.items() if not holds}
    return set(found.details)


def test_each_check_holds_in_a_sound_world_and_fails_when_its_row_is_spoilt(
    world: Driver, database_url: str, postgres: str
) -> None:
    sound = audit(database_url, addresses(world.chain))
    assert sound.ok, sound.details
    assert set(sound.checks) == set(CHECKS)
    for check, statement in GONE_WRONG_IN_POSTGRES.items():
        with copied(postgres, database_url, spoilt_by=statement) as url:
            assert check in broken(audit(url, addresses(world.chain))), check


def test_coins_that_nobody_booked_break_the_pools_balance(world: Driver, database_url: str) -> None:
    gift = TokenTransfer(recipient=parse_principal(world.chain.contracts.pool), amount=1)
    world.chain.send(world.wallet, gift)
    world.chain.mine()
    assert broken(audit(database_url, addresses(world.chain))) == {"pool_balance_is_assets_plus_unearned"}


def test_what_the_backends_key_did_elsewhere_is_found(world: Driver, database_url: str) -> None:
    world.chain.burn(5_000)
    ours = world.chain.contracts
    world.chain.order_call(world.chain.backend, calls.update_policy_status(ours, STILL_ACTIVE, OnChainStatus.EXPIRED))
    world.chain.mine()
    world.follow()
    assert broken(audit(database_url, addresses(world.chain))) == {
        "statuses_agree_with_the_contract",
        "registry_and_pool_agree",
        "nonces_have_no_gap",
    }


def test_payouts_and_locks_that_do_not_add_up_are_found(world: Driver, database_url: str) -> None:
    ledger, chain = facts(world, database_url)
    first, *others = chain.payouts
    for spoilt in ((replace(first, received=0), *others), (first, *chain.payouts), tuple(others)):
        found = judge(ledger, replace(chain, payouts=spoilt))
        assert broken(found) == {"one_payout_per_settled_policy_as_pinned"}
    pool = chain.pools[Token.STX]
    spent = replace(chain, pools={**chain.pools, Token.STX: replace(pool, locked=pool.locked + 1)})
    assert "locked_is_the_open_collateral" in broken(judge(ledger, spent))


def test_an_empty_database_is_not_taken_for_a_sound_one(database_url: str, chain: Chain) -> None:
    with pytest.raises(NothingApplied):
        audit(database_url, addresses(chain))
