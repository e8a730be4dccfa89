"""From a request to an Active policy, and everything that is refused on the way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from registry.domain.capacity import OpenQuoteLimits, TooManyOpenQuotes
from registry.domain.errors import BadRequest, IdempotencyKeyReused, NoCapacity, PolicyNotFound, RegistryError
from registry.domain.parameters import Parameters
from registry.domain.prices import PriceUnavailable
from registry.domain.steps import StepKind
from registry.domain.terms import SwitchedOff
from registry.domain.tier import OutsideTiers
from registry.domain.units import BaseUnits, BurnHeight, Ppm, Principal, Sats, Token, Usd8
from registry.services import chain_height, creation, prices
from registry.services.terms import quote_terms
from registry.stacks.clarity import Buffer, Tuple, UInt, from_hex
from registry.stacks.contract_reads import ContractReads
from registry.stacks.node import NodeUnavailable
from registry.stacks.quote import QuoteTerms, sign_quote
from registry.stacks.wallet import wallet_payload
from registry.stacks.wire import TESTNET
from registry.store import parameters, reservations
from registry.store import quotes as rows
from registry.store.session import unit_of_work
from registry.store.tables import PolicyRow, QuoteRow, ReservationRow, TierCapitalRow
from tests.integration.chain import new_key
from tests.integration.contention import all_at_once
from tests.integration.driver import LEASE, Driver

TEN_BTC = 10 * 10**8
COLLATERAL_OF_TEN = 405_000 * 10**6
"""Micro-STX: 10 BTC × 45 000 USD × 1.2 × 1.5 at 2 USD."""


def id_of(answer: dict[str, Any]) -> UUID:
    return UUID(answer["policy"]["id"])


def counted(driver: Driver, table: type[SQLModel]) -> int:
    with unit_of_work(driver.database) as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def tier(driver: Driver, name: str = "Balanced") -> tuple[int, int]:
    """What a tier has reserved and locked in STX."""
    with unit_of_work(driver.database) as session:
        row = session.get(TierCapitalRow, (name, Token.STX))
        return (row.reserved_base_units, row.locked_base_units) if row else (0, 0)


def put_in_force(driver: Driver, **changes: Any) -> None:
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), **changes), reason="for this test")


def priced(driver: Driver, **changes: Any) -> UUID:
    """A quote that only waits to be recorded."""
    asked = driver.ask(**changes)
    ids = prices.fetch(driver.database, driver.feed, asked.pairs)
    creation.price(driver.database, asked.quote, price_ids=ids, now=driver.now())
    return asked.quote


def outcomes(driver: Driver, hold: Callable[[Session], object], quotes: list[UUID]) -> list[UUID | type[RegistryError]]:
    """What becomes of quotes that are recorded all at once."""

    def one(quote: UUID) -> UUID | type[RegistryError]:
        try:
            return driver.record(quote)
        except RegistryError as error:
            return type(error)

    return all_at_once(driver.database, hold, one, quotes)


# from quote to purchase


def test_a_purchase_makes_the_policy_active_once_it_is_confirmed(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = id_of(answer)
    assert answer["policy"]["status_detailed"] == "PendingCreation"
    tx_id = driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    assert driver.has_succeeded(tx_id)
    assert driver.follow() == []
    driver.chain.burn(1)
    assert driver.follow() == []
    driver.chain.burn(1)
    assert driver.follow() == ["b"]
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain, row.policy_id_on_chain) == ("Active", 0, 1)
    assert row.tx_id_creation == tx_id
    assert row.premium_amount_base_units == answer["quote"]["premium_amount_base_units"]
    assert driver.edges(policy_id) == "ab"


def test_a_policy_lives_from_quote_to_payout(driver: Driver) -> None:
    policy_id = driver.buy()
    driver.chain.price("40000")
    answer = driver.activate(policy_id)
    assert answer["policy"]["status_detailed"] == "Settling"
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain) == ("Settled", 1)
    assert row.settlement_amount_base_units == answer["activation"]["settlement_amount_base_units"]
    assert driver.edges(policy_id) == "abcd"


def test_what_the_chain_has_not_confirmed_is_null(guest: Driver) -> None:
    policy_id = id_of(guest.quote())
    row = guest.policy(policy_id)
    assert {
        getattr(row, name)
        for name in (
            *("policy_id_on_chain", "status_on_chain", "creation_height", "creation_timestamp", "tx_id_creation"),
            *("premium_amount_base_units", "premium_fee_amount_base_units", "premium_token", "creation_block"),
            *("expiration_timestamp_estimate", "settlement_amount_base_units", "settlement_token"),
            *("settlement_timestamp", "tx_id_status_update", "end_block"),
        )
    } == {None}


def test_a_confirmed_purchase_says_when_it_was_made_and_about_when_it_ends(guest: Driver) -> None:
    row = guest.policy(guest.buy(duration_days=7))
    assert row.creation_height is not None
    assert row.creation_timestamp is not None
    left = timedelta(seconds=600 * (row.expiration_height - row.creation_height))
    assert row.expiration_timestamp_estimate == row.creation_timestamp + left


def test_a_quote_shows_its_terms_and_its_last_height(guest: Driver) -> None:
    height = guest.chain.node.tip().burn_height
    told = guest.quote(protected_amount_sats=TEN_BTC)["quote"]
    assert told["max_payout_base_units"] == COLLATERAL_OF_TEN
    assert told["premium_fee_amount_base_units"] == told["premium_amount_base_units"] // 100
    assert (told["expiration_height"], told["valid_until_height"]) == (height + 30 * 144, height + 2)
    assert (told["risk_tier"], told["premium_token"]) == ("Balanced", "STX")
    assert len(bytes.fromhex(told["quote_id"])) == 16


@pytest.mark.parametrize("token", Token)
def test_the_wallet_is_asked_to_move_exactly_the_premium(guest: Driver, token: Token) -> None:
    answer = guest.quote(premium_token=token.value)
    quote, asked = answer["quote"], answer["wallet_payload"]
    quote_id, premium, terms, signature = (from_hex(each) for each in asked["functionArgs"])
    assert (quote_id, premium) == (Buffer(bytes.fromhex(quote["quote_id"])), UInt(quote["premium_amount_base_units"]))
    assert isinstance(terms, Tuple)
    assert dict(terms.entries)["collateral"] == UInt(quote["max_payout_base_units"])
    assert isinstance(signature, Buffer)
    assert len(signature.value) == 65
    amount = str(quote["premium_amount_base_units"])
    stx = {"type": "stx-postcondition", "address": guest.owner, "condition": "eq", "amount": amount}
    sbtc = {**stx, "type": "ft-postcondition", "asset": f"{guest.chain.contracts.sbtc}::sbtc-token"}
    assert asked == {
        "contract": guest.chain.contracts.pool,
        "functionName": "buy-policy-stx" if token is Token.STX else "buy-policy-sbtc",
        "functionArgs": asked["functionArgs"],
        "postConditions": [stx if token is Token.STX else sbtc],
        "postConditionMode": "deny",
        "network": "testnet",
        "address": guest.owner,
    }
    guest.chain.buy(guest.wallet, asked)
    guest.chain.burn(2)
    guest.chain.burn()
    assert guest.follow() == []
    guest.chain.burn()
    assert guest.follow() == ["b"]
    assert guest.policy(id_of(answer)).premium_token == token


def test_a_purchase_moves_the_reservation_to_a_lock_that_equals_the_pools(driver: Driver) -> None:
    answer = driver.quote()
    collateral = answer["quote"]["max_payout_base_units"]
    assert tier(driver) == (collateral, 0)
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    assert tier(driver) == (0, collateral)
    reads = ContractReads(node=driver.chain.node, contracts=driver.chain.contracts)
    assert reads.get_pool(Token.STX).locked == collateral


def test_nobody_can_use_a_quote_above_its_last_height(guest: Driver) -> None:
    answer = guest.quote()
    guest.chain.burn(2)
    before = guest.balance()
    tx_id = guest.chain.buy(guest.wallet, answer["wallet_payload"])
    guest.chain.burn(1)
    assert not guest.has_succeeded(tx_id)
    assert before - guest.balance() <= 50_000  # the transaction's own fee


# keys


def test_the_same_key_and_body_get_the_same_answer_even_when_nothing_is_sold_any_more(driver: Driver) -> None:
    first = driver.quote(key="once")
    put_in_force(driver, creation_enabled=False)
    driver.chain.price("90000")
    assert driver.quote(key="once") == first
    assert driver.quote(key="once", duration_days="30") == first
    assert counted(driver, PolicyRow) == 1


def test_the_same_key_with_another_body_is_a_conflict(driver: Driver) -> None:
    driver.quote(key="once")
    with pytest.raises(IdempotencyKeyReused, match="once was used for another request"):
        driver.ask(key="once", duration_days=29)
    assert counted(driver, QuoteRow) == 1


def test_a_key_belongs_to_its_owner(guest: Driver) -> None:
    mine = guest.ask(key="once")
    theirs = guest.ask(key="once", owner=new_key().address(TESTNET), duration_days=7)
    assert mine.quote != theirs.quote


def test_a_quote_that_was_refused_may_be_asked_for_again_under_its_key(guest: Driver) -> None:
    guest.chain.price("60000")
    with pytest.raises(OutsideTiers):
        priced(guest, key="once", protected_value_price_feed_units=41_000 * 10**8)
    guest.chain.price("50000")
    assert guest.quote(key="once", protected_value_price_feed_units=41_000 * 10**8)["quote"]["risk_tier"] == "Balanced"


def test_two_workers_that_record_one_quote_make_one_policy(driver: Driver) -> None:
    quote = priced(driver)
    made = outcomes(driver, lambda session: rows.lock(session, quote), [quote] * 4)
    assert len(set(made)) == 1
    assert isinstance(made[0], UUID)
    assert (counted(driver, PolicyRow), counted(driver, ReservationRow)) == (1, 1)
    assert tier(driver)[0] == 4_050 * 10**6


# refusals


def test_what_no_tier_sells_is_refused_with_what_would_have_been_sold(driver: Driver) -> None:
    with pytest.raises(OutsideTiers) as refused:
        priced(driver, protected_value_price_feed_units=51_000 * 10**8)
    accepted = refused.value.figures["accepted"]
    assert isinstance(accepted, list)
    assert [each["tier"] for each in accepted] == ["Conservative", "Balanced", "Aggressive"]
    assert accepted[2]["strike_to"] == 50_000 * 10**8
    assert (counted(driver, PolicyRow), counted(driver, ReservationRow)) == (0, 0)


OUTSIDE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"duration_days": 6}, "duration_days"),
    ({"duration_days": 366}, "duration_days"),
    ({"protected_amount_sats": 10**6 - 1}, "protected_amount_sats"),
    ({"protected_amount_sats": TEN_BTC + 1}, "protected_amount_sats"),
    ({"settlement_token": "sBTC"}, "settlement_token"),
    ({"owner": "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"}, "owner_principal"),
    ({"owner": "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZG"}, "owner_principal"),
    ({"owner": "nobody"}, "owner_principal"),
    ({"key": "\n"}, "idempotency_key"),
)


def test_what_is_outside_what_is_sold_is_refused_and_leaves_no_row(driver: Driver) -> None:
    for changes, field in OUTSIDE:
        with pytest.raises(BadRequest) as refused:
            driver.ask(**changes)
        assert refused.value.figures["field"] == field, changes
    assert counted(driver, QuoteRow) == 0


def test_a_contract_may_own_a_policy(guest: Driver) -> None:
    asked = guest.ask(owner=f"{guest.owner}.smart-wallet")
    assert asked.policy_id is None


def test_an_operator_can_stop_the_sale(driver: Driver) -> None:
    put_in_force(driver, creation_enabled=False)
    with pytest.raises(SwitchedOff, match="creation is switched off"):
        driver.ask()
    assert counted(driver, QuoteRow) == 0


def test_a_price_that_has_grown_old_quotes_nothing(guest: Driver) -> None:
    asked = guest.ask()
    ids = prices.fetch(guest.database, guest.feed, asked.pairs)
    with pytest.raises(PriceUnavailable, match="at most 60 are allowed"):
        creation.price(guest.database, asked.quote, price_ids=ids, now=guest.now() + timedelta(seconds=61))


def test_a_quote_whose_price_has_grown_old_is_not_recorded(driver: Driver) -> None:
    quote = priced(driver)
    with pytest.raises(PriceUnavailable, match="at most 60 are allowed"):
        creation.record(
            driver.database,
            driver.chain.contracts,
            quote,
            height=driver.chain.node.tip().burn_height,
            limits=driver.limits,
            lease=LEASE,
            now=driver.now() + timedelta(seconds=61),
        )
    assert (counted(driver, PolicyRow), tier(driver)) == (0, (0, 0))


def test_a_policy_keeps_the_parameters_that_it_was_made_under(driver: Driver) -> None:
    before = driver.policy(id_of(driver.quote()))
    put_in_force(driver, quote_valid_blocks=30)
    answer = driver.quote()
    assert (before.parameters_id, driver.policy(id_of(answer)).parameters_id) == (1, 2)
    assert answer["quote"]["valid_until_height"] == driver.chain.node.tip().burn_height + 30


# capacity


def test_capacity_is_refused_with_what_is_free_and_nothing_is_left_reserved(driver: Driver) -> None:
    put_in_force(driver, balanced_share_ppm=Ppm(100_000))  # 10 % of 10 000 000 STX, of which 80 % may be used
    driver.limits = OpenQuoteLimits(tier_ppm=Ppm(1_000_000))
    driver.quote(protected_amount_sats=TEN_BTC)
    with pytest.raises(NoCapacity) as refused:
        driver.quote(protected_amount_sats=TEN_BTC)
    free = 800_000 * 10**6 - COLLATERAL_OF_TEN
    assert refused.value.figures == {
        "tier": "Balanced",
        "token": "STX",
        "free": free,
        "needed": COLLATERAL_OF_TEN,
        "bound": "tier",
    }
    assert (tier(driver), counted(driver, PolicyRow)) == ((COLLATERAL_OF_TEN, 0), 1)
    driver.quote(protected_amount_sats=97 * 10**7)  # 9.7 BTC fit


def test_unsigned_quotes_hold_a_quarter_of_a_tier_at_most(driver: Driver) -> None:
    for _ in range(2):
        driver.quote(protected_amount_sats=TEN_BTC)
    with pytest.raises(NoCapacity) as refused:
        driver.quote(protected_amount_sats=TEN_BTC)
    assert (refused.value.figures["bound"], refused.value.figures["free"]) == ("open_quotes", 65_000 * 10**6)


def test_what_is_bought_is_no_open_quote_any_more_even_when_a_fork_takes_it_back(driver: Driver) -> None:
    answers = [driver.quote() for _ in range(3)]
    with pytest.raises(TooManyOpenQuotes, match="already holds 3 unsigned quotes, 3 are allowed"):
        driver.quote()
    driver.chain.buy(driver.wallet, answers[0]["wallet_payload"])
    driver.chain.mine()
    driver.follow()
    answers.append(driver.quote())  # seen in a block, though not confirmed yet
    driver.chain.burn(2)
    driver.follow()
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.mine()
    driver.follow()
    assert driver.edges(id_of(answers[0])) == "abp"
    driver.limits = OpenQuoteLimits(per_owner=4)
    driver.quote()  # beside three unsigned ones and the one that came back


def test_another_owner_is_not_counted(guest: Driver) -> None:
    for _ in range(3):
        guest.quote()
    other = new_key().address(TESTNET)
    assert guest.quote(owner=other)["policy"]["owner_principal"] == other


def test_of_four_quotes_recorded_at_once_an_owner_gets_three(driver: Driver) -> None:
    tokens = [Token.STX, Token.SBTC, Token.STX, Token.SBTC]
    quotes = [priced(driver, premium_token=token.value) for token in tokens]
    made = outcomes(driver, lambda session: reservations.hold_owner(session, driver.owner), quotes)
    assert made.count(TooManyOpenQuotes) == 1
    assert counted(driver, PolicyRow) == 3


def test_of_two_that_want_the_last_capacity_one_gets_it(driver: Driver) -> None:
    put_in_force(driver, balanced_share_ppm=Ppm(100_000))
    driver.limits = OpenQuoteLimits(tier_ppm=Ppm(1_000_000))
    owners = [new_key().address(TESTNET) for _ in range(2)]
    quotes = [priced(driver, protected_amount_sats=TEN_BTC, owner=owner) for owner in owners]
    made = outcomes(driver, lambda session: reservations.lock_tiers(session, Token.STX), quotes)
    assert made.count(NoCapacity) == 1
    assert tier(driver) == (COLLATERAL_OF_TEN, 0)


# proof of purchase


def test_a_purchase_whose_terms_are_not_the_quotes_is_quarantined_and_never_paid(driver: Driver) -> None:
    changes: list[dict[str, Any]] = [
        {"premium": BaseUnits(10**6)},
        {"fee": BaseUnits(7)},
        {"collateral": BaseUnits(10**9)},
        {"protected_value": Usd8(49_000 * 10**8)},
        {"protected_amount": Sats(2 * 10**7)},
        {"expiration_height": BurnHeight(60_000)},
    ]
    driver.limits = OpenQuoteLimits(per_owner=len(changes))
    answers = [driver.quote() for _ in changes]
    for answer, change in zip(answers, changes, strict=True):
        forged(driver, answer, **change)
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    assert [driver.edges(id_of(answer)) for answer in answers] == ["a"] * len(changes)
    with unit_of_work(driver.database) as session:
        found = session.execute(select(PolicyRow).where(col(PolicyRow.status_detailed) == "Quarantined")).scalars()
        quarantined = [row.id for row in found]
    assert len(quarantined) == len(changes)
    driver.chain.price("10000")
    for policy_id in quarantined:
        assert driver.edges(policy_id) == "n"
        assert (driver.next(policy_id), driver.sign(policy_id)) == (None, None)


def forged(driver: Driver, answer: dict[str, Any], **changes: Any) -> None:
    """Buy with a quote under the same id whose terms are others, signed with the leaked key."""
    with unit_of_work(driver.database) as session:
        row = session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == id_of(answer))).scalar_one()
        terms: QuoteTerms = replace(quote_terms(row), **changes)
    signature = sign_quote(driver.chain.contracts, terms, key=driver.chain.quote_key)
    driver.chain.buy(driver.wallet, wallet_payload(driver.chain.contracts, terms, signature))


def test_a_reported_txid_is_a_hint_and_proves_nothing(guest: Driver) -> None:
    answer = guest.quote()
    policy_id = id_of(answer)
    told = report(guest, policy_id, tx_id="0x" + "AB" * 32)
    assert told["policy"]["status_detailed"] == "PendingCreation"
    assert guest.policy(policy_id).reported_tx_id == "ab" * 32
    guest.chain.burn(2)
    assert guest.follow() == []
    tx_id = guest.chain.buy(guest.wallet, answer["wallet_payload"])
    guest.chain.mine()
    guest.chain.burn(2)
    guest.follow()
    assert guest.policy(policy_id).tx_id_creation == tx_id


def test_an_owner_who_declined_may_still_sign_what_he_holds(guest: Driver) -> None:
    answer = guest.quote()
    report(guest, id_of(answer), declined=True)
    guest.chain.buy(guest.wallet, answer["wallet_payload"])
    guest.chain.burn()
    guest.chain.burn(2)
    assert guest.follow() == ["b"]


def test_a_report_is_a_txid_or_says_declined(guest: Driver) -> None:
    policy_id = id_of(guest.quote())
    said: tuple[dict[str, Any], ...] = ({}, {"declined": False}, {"tx_id": "12"}, {"tx_id": "g" * 64}, {"tx_id": 7})
    for each in said:
        with pytest.raises(BadRequest, match="tx_id is not usable"):
            report(guest, policy_id, **each)


def test_anothers_policy_looks_like_a_missing_one(guest: Driver) -> None:
    policy_id = id_of(guest.quote())
    for named, owner in ((policy_id, new_key().address(TESTNET)), (uuid4(), guest.owner)):
        with pytest.raises(PolicyNotFound, match="has no policy"):
            report(guest, named, owner=Principal(owner), tx_id="ab" * 32)


def report(driver: Driver, policy_id: UUID, *, owner: Principal | None = None, **said: object) -> dict[str, Any]:
    message = {"owner_principal": owner or driver.owner, "policy_id": str(policy_id), **said}
    return creation.report(driver.database, driver.chain.contracts, message, now=driver.now())


def test_a_purchase_after_we_gave_up_counts_and_locks_what_it_locked(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = id_of(answer)
    for _ in range(5):
        driver.chain.burn()
    driver.follow()
    assert driver.give_up(policy_id)
    assert (driver.edges(policy_id), tier(driver)) == ("ae", (0, 0))
    driver.chain.reorganise(5)  # back to where the quote could be used, and there it is used
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(5)
    assert driver.follow() == ["i"]
    assert driver.policy(policy_id).status_detailed == "Active"
    assert tier(driver) == (0, answer["quote"]["max_payout_base_units"])


# the height that a decision is taken at


def test_a_node_that_is_behind_what_was_seen_decides_nothing(driver: Driver) -> None:
    driver.chain.burn(3)
    driver.follow()
    assert chain_height.read(driver.chain.node, driver.database) == driver.height.tip
    driver.chain.reorganise(1)
    with pytest.raises(NodeUnavailable, match="was seen before"):
        chain_height.read(driver.chain.node, driver.database)
    driver.chain.burn(3)
    assert chain_height.read(driver.chain.node, driver.database) == driver.chain.node.tip().burn_height


def test_the_nodes_own_view_of_bitcoin_decides_nothing(driver: Driver) -> None:
    driver.chain.order("burn-ahead", blocks=7)
    try:
        assert driver.chain.node.info().burn_block_height == driver.height.tip + 7
        assert chain_height.read(driver.chain.node, driver.database) == driver.height.tip
    finally:
        driver.chain.order("burn-ahead", blocks=0)
