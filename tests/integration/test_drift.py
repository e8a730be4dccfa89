"""Drift made by hand: found, and mended by edges, by following again, or by nobody."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update
from sqlmodel import col

from registry.domain.drift import Kind
from registry.domain.units import MicroStx, Principal, Token
from registry.services import reconciliation
from registry.services.pool_comparison import PoolComparison
from registry.settings import Settings
from registry.stacks.clarity import UInt, parse_principal
from registry.stacks.contract_reads import ContractReads
from registry.stacks.http_node import HttpNode
from registry.stacks.network import TESTNET
from registry.stacks.node import Account
from registry.stacks.payloads import TokenTransfer
from registry.store.session import unit_of_work
from registry.store.tables import (
    BlockRow,
    PolicyEventRow,
    PolicyRow,
    PoolBookRow,
    QuoteRow,
    ReservationRow,
    SignerRow,
    TierCapitalRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.commandline import name_chain, name_database, plain_url
from tests.integration.drifts import begun, change, found, lose, reconciled, rest, rewrite, settled
from tests.integration.driver import Driver
from tests.integration.walks import confirm, quoted
from workers.runtime import Runtime


@pytest.fixture
def operated(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose database and chain the environment names."""
    name_database(monkeypatch, plain_url(driver.database))
    name_chain(monkeypatch, driver.chain)
    return driver


@pytest.fixture
def own(operated: Driver) -> Iterator[Runtime]:
    """What a worker beside it has."""
    assert operated.chain
    held = Runtime(settings=Settings())
    with closing(held.database), closing(held.node):
        yield held


def test_each_drift_is_found_and_mended_by_edges_or_by_following_again(operated: Driver, own: Runtime) -> None:
    policy_id = settled(operated)
    operated.buy(premium_token=Token.SBTC.value)
    quoted(operated)
    rest(operated)
    before = operated.policy(policy_id)
    assert before.settlement_amount_base_units is not None
    drifts: dict[str, Callable[[], None]] = {
        "evidence": lambda: lose(operated, "policy-settled"),
        "mirror": lambda: rewrite(operated, policy_id, settlement_amount_base_units=1, premium_amount_base_units=7),
        "misplaced": lambda: rewrite(operated, policy_id, policy_id_on_chain=99),
        "status": lambda: rewrite(
            operated,
            policy_id,
            status_detailed="Settling",
            status_on_chain=0,
            end_block=None,
            settlement_amount_base_units=None,
        ),
        "collateral": lambda: _held(operated, policy_id, state="reserved"),
        "book": lambda: change(operated, PoolBookRow, locked=5),
        "tier": lambda: change(operated, TierCapitalRow, locked_base_units=5),
    }
    for kind, drift in drifts.items():
        drift()
        row = reconciled(own)
        assert found(row).get(kind) is True, (kind, row.findings)
        assert all(found(row).values()), row.findings
        after = operated.policy(policy_id)
        assert {name: getattr(after, name) for name in _MIRRORED} == {name: getattr(before, name) for name in _MIRRORED}
        rest(operated)
    assert reconciled(own).findings == []
    assert_books_equal_the_chain(operated)


_MIRRORED = (
    "status_detailed",
    "status_on_chain",
    "policy_id_on_chain",
    "premium_amount_base_units",
    "settlement_amount_base_units",
    "tx_id_status_update",
    "creation_block",
    "end_block",
)


def _held(driver: Driver, policy_id: UUID, *, state: str) -> None:
    with unit_of_work(driver.database) as session:
        session.execute(update(ReservationRow).where(col(ReservationRow.policy_id) == policy_id).values(state=state))


def test_what_only_a_person_can_decide_is_told_of_and_left_alone(operated: Driver, own: Runtime) -> None:
    policy_id = operated.buy()
    rest(operated)
    chain = operated.chain
    chain.send(operated.wallet, TokenTransfer(recipient=parse_principal(chain.contracts.pool), amount=5))
    chain.call(chain.backend, chain.contracts.sbtc, "mint", UInt(1), parse_principal(operated.owner))
    confirm(operated)
    rewrite(operated, policy_id, protected_amount_sats=5, next_look_at=None)
    with unit_of_work(own.database) as session:
        session.add(SignerRow(principal=chain.backend.address(TESTNET), next_nonce=0))
    row = reconciled(own)
    assert found(row) == {"terms": False, "surplus": False, "nonce": False}
    assert [each["kind"] for each in row.findings if not each["is_drift"]] == ["surplus"]
    assert all(each["next"] for each in row.findings)
    assert operated.edges(policy_id) == "ab"


def test_a_status_that_is_active_on_chain_moves_no_policy_back(operated: Driver, own: Runtime) -> None:
    policy_id = operated.buy()
    rest(operated)
    rewrite(operated, policy_id, status_detailed="Settled")
    row = reconciled(own)
    assert found(row) == {"status": False}
    assert (operated.policy(policy_id).status_detailed, operated.edges(policy_id)) == ("Settled", "ab")


def test_a_purchase_whose_row_and_quote_are_lost_is_quarantined(operated: Driver, own: Runtime) -> None:
    policy_id = operated.buy()
    rest(operated)
    with unit_of_work(own.database) as session:
        # what no service can do: as if the database had been restored table by table
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in (QuoteRow, ReservationRow, PolicyEventRow):
            session.execute(delete(table).where(col(table.policy_id) == policy_id))
        session.execute(delete(PolicyRow).where(col(PolicyRow.id) == policy_id))
    row = reconciled(own)
    assert found(row) == {"unknown": True, "tier": True}
    with unit_of_work(own.database) as session:
        (kept,) = session.execute(select(PolicyRow)).scalars()
    assert (kept.status_detailed, kept.policy_id_on_chain, operated.edges(kept.id)) == ("Quarantined", 1, "n")


def test_a_lost_row_that_its_quote_still_names_is_left_to_a_person(operated: Driver, own: Runtime) -> None:
    policy_id = operated.buy()
    with unit_of_work(own.database) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(delete(PolicyRow).where(col(PolicyRow.id) == policy_id))
    assert found(reconciled(own)) == {"unknown": False}
    assert operated.follow() == []


def test_a_book_that_was_wrong_for_long_is_followed_again_from_the_first_wrong_block(
    operated: Driver, own: Runtime
) -> None:
    for _ in range(3):
        operated.buy()
    rest(operated)
    with unit_of_work(own.database) as session:
        changing = select(BlockRow).where(col(BlockRow.books).is_not(None)).order_by(col(BlockRow.height))
        wrong = session.execute(changing).scalars().all()[-2:]
        for row in wrong:
            row.books = [{**each, "assets": each["assets"] + 1} for each in row.books or ()]
        session.execute(update(PoolBookRow).values(assets=PoolBookRow.assets + 1))
    (stx, _) = reconciled(own, is_dry=True).findings
    assert (stx["kind"], stx["subject"], stx["ours"]["assets"] - stx["chain"]["assets"]) == ("book", "STX", 1)
    with unit_of_work(own.database) as session:
        block = session.get_one(BlockRow, reconciliation.state(own.database, begun(own)).block)
    reads = ContractReads(node=own.node, contracts=own.contracts)
    books = PoolComparison(database=own.database, reads=reads, block=block).findings()
    assert {each.height for each in books} == {wrong[0].height}
    assert found(reconciled(own)) == {"book": True}
    assert_books_equal_the_chain(operated)


class Poorer(HttpNode):
    """The node before which every account lacks one micro-STX."""

    def account(self, principal: Principal, /) -> Account:
        told = super().account(principal)
        return replace(told, balance=MicroStx(told.balance - 1))


def test_coins_that_the_pool_books_and_does_not_have_are_an_alarm(operated: Driver, own: Runtime) -> None:
    operated.buy()
    with unit_of_work(own.database) as session:
        block = session.get_one(BlockRow, reconciliation.state(own.database, begun(own)).block)
    with closing(Poorer(operated.chain.url)) as node:
        reads = ContractReads(node=node, contracts=own.contracts)
        (missing,) = PoolComparison(database=own.database, reads=reads, block=block).findings()
    assert (missing.kind, missing.subject, missing.is_drift) == (Kind.VAULT, "STX", True)
