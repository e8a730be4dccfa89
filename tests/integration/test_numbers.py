"""A contract counts to 2^128: what no column can hold is put aside, and the follower goes on to the last unit."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from registry.domain.units import BaseUnits, BurnHeight, Principal, Token, Usd8
from registry.services.terms import quote_terms
from registry.stacks.clarity import StringAscii, UInt, parse_principal
from registry.stacks.quote import sign_quote
from registry.stacks.wallet import wallet_payload
from registry.stacks.wire import TESTNET, SmartContract
from registry.store.session import unit_of_work
from registry.store.tables import ChainEventRow, PolicyRow, QuoteRow
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.chain import CLARITY, new_key
from tests.integration.driver import Driver

MOST = 2**128 - 1
MUCH = 2**70
"""More than any BIGINT, and little enough for the pool to multiply."""


def lend(driver: Driver, amount: int) -> None:
    """Mint sBTC, as only a devnet can, and lend it to the pool."""
    own, deployer = driver.chain, driver.chain.deployer
    own.call(deployer, own.contracts.sbtc, "mint", UInt(amount), parse_principal(deployer.address(TESTNET)))
    lent = own.call(deployer, own.contracts.pool, "deposit", StringAscii(Token.SBTC.value), UInt(amount))
    own.mine()
    assert driver.has_succeeded(lent)


def buy_forged(driver: Driver, **changes: Any) -> None:
    """Buy on terms that nobody quoted, signed with a quote key that leaked."""
    policy_id = UUID(driver.quote(premium_token=Token.SBTC.value)["policy"]["id"])
    with unit_of_work(driver.database) as session:
        row = session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == policy_id)).scalar_one()
        terms = replace(quote_terms(row), **changes)
    signature = sign_quote(driver.chain.contracts, terms, key=driver.chain.quote_key)
    bought = driver.chain.buy(driver.wallet, wallet_payload(driver.chain.contracts, terms, signature))
    driver.chain.burn()
    assert driver.has_succeeded(bought)


def quarantined(driver: Driver) -> list[PolicyRow]:
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(PolicyRow).where(col(PolicyRow.status_detailed) == "Quarantined"))
        return list(rows.scalars())


def test_a_deposit_of_any_size_is_booked_to_the_last_unit(driver: Driver) -> None:
    lend(driver, MUCH)
    driver.follow()
    assert_books_equal_the_chain(driver)
    driver.quote(premium_token=Token.SBTC.value)
    driver.chain.reorganise(1)
    driver.chain.burn()
    driver.follow()
    assert_books_equal_the_chain(driver)


def test_a_strangers_entry_of_the_largest_numbers_is_kept_as_bytes_and_skipped(driver: Driver) -> None:
    chain, stranger = driver.chain, new_key()
    chain.fund(stranger)
    code = (
        f"(define-public (write) (contract-call? '{chain.contracts.registry} create-policy-entry"
        f' tx-sender (as-contract tx-sender) u{MOST} u{MOST} u{MOST} "PUT"))'
    )
    chain.send(stranger, SmartContract(name="other-pool", code=code, clarity_version=CLARITY), fee=10**6)
    chain.mine()
    written = chain.call(stranger, Principal(f"{stranger.address(TESTNET)}.other-pool"), "write")
    chain.burn()
    chain.burn(2)
    assert driver.has_succeeded(written)
    driver.follow()
    with unit_of_work(driver.database) as session:
        kept = session.execute(select(ChainEventRow).where(col(ChainEventRow.tx_id) == written)).scalar_one()
        assert session.execute(select(PolicyRow)).scalars().all() == []
    assert (kept.name, kept.policy_id_on_chain, kept.policy_id) == ("policy-created", 1, None)
    assert MOST.to_bytes(16, "big") in kept.raw
    assert driver.policy(driver.buy()).policy_id_on_chain == 2


def test_a_purchase_whose_premium_no_column_holds_is_quarantined_without_it(driver: Driver) -> None:
    own, deployer = driver.chain, driver.chain.deployer
    own.call(deployer, own.contracts.sbtc, "mint", UInt(MUCH), parse_principal(driver.owner))
    own.mine()
    buy_forged(driver, premium=BaseUnits(2**64 - 1), fee=BaseUnits(7))
    driver.chain.burn(2)
    driver.follow()
    (row,) = quarantined(driver)
    assert (row.premium_amount_base_units, row.premium_fee_amount_base_units) == (None, 7)
    assert_books_equal_the_chain(driver)


def test_a_purchase_of_terms_that_no_column_holds_is_put_aside_and_looked_at_once(driver: Driver) -> None:
    buy_forged(driver, protected_value=Usd8(2**64))
    driver.chain.burn(2)
    driver.follow()
    assert quarantined(driver) == []
    with unit_of_work(driver.database) as session:
        purchase = session.execute(
            select(ChainEventRow).where(col(ChainEventRow.name) == "policy-purchased")
        ).scalar_one()
    assert purchase.applied_at is not None
    assert_books_equal_the_chain(driver)
    policy_id = driver.buy()
    assert driver.edges(policy_id) == "ab"


def test_a_premium_that_would_be_earned_over_ages_is_booked_as_the_pool_does(driver: Driver) -> None:
    height = driver.chain.node.tip().burn_height
    buy_forged(driver, expiration_height=BurnHeight(height + 10 * 52_560))
    driver.chain.burn(1_000)
    driver.follow()
    assert_books_equal_the_chain(driver)
