"""Sign, store, then send: one nonce for one intent, whatever is lost on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import UUID

import pytest
import requests
from sqlalchemy import select
from sqlmodel import col

from registry.domain.steps import StepKind
from registry.domain.units import Nonce, Token
from registry.services import broadcast
from registry.stacks.http_node import HttpNode
from registry.stacks.node import NodeUnavailable
from registry.store import transactions
from registry.store.session import unit_of_work
from registry.store.tables import AttemptRow, SignerRow, TransactionEntryRow, TransactionRow
from tests.integration.contention import all_at_once
from tests.integration.driver import Driver
from tests.integration.sender import Sender


def _transactions(driver: Driver) -> list[TransactionRow]:
    with unit_of_work(driver.database) as session:
        return list(session.execute(select(TransactionRow).order_by(col(TransactionRow.nonce))).scalars())


def _attempts(driver: Driver) -> list[AttemptRow]:
    with unit_of_work(driver.database) as session:
        return list(session.execute(select(AttemptRow).order_by(col(AttemptRow.id))).scalars())


@pytest.fixture
def settling(driver: Driver) -> tuple[Driver, UUID]:
    """A policy whose payout is pinned and may be signed for."""
    policy_id = driver.buy()
    driver.chain.price("40000")
    driver.activate(policy_id)
    return driver, policy_id


@dataclass
class LosingNode:
    """A node behind a wire that passes every request on and loses the answers to broadcasts."""

    url: str
    server: ThreadingHTTPServer


@pytest.fixture
def losing_node(devnet_url: str) -> Iterator[LosingNode]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {"content-type": self.headers["content-type"]}
            requests.post(devnet_url + self.path, data=body, headers=headers, timeout=10)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield LosingNode(url=f"http://127.0.0.1:{server.server_port}", server=server)
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_bytes_are_stored_before_the_first_one_leaves(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    signed = driver.sign(policy_id)
    (row,), (attempt,) = _transactions(driver), _attempts(driver)
    assert (row.id, row.status, attempt.accepted_at) == (signed, "Signed", None)
    assert driver.chain.node.transaction(attempt.tx_id) is None  # type: ignore[arg-type]
    driver.send(row.id)
    assert _transactions(driver)[0].status == "Sent"
    assert driver.chain.node.transaction(attempt.tx_id) is not None  # type: ignore[arg-type]


def test_a_node_that_is_down_leaves_the_same_bytes_to_be_sent_later(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    signed = driver.sign(policy_id)
    assert signed is not None
    down = HttpNode("http://127.0.0.1:1")
    with pytest.raises(NodeUnavailable):
        broadcast.send(driver.database, down, signed, now=driver.now())
    down.close()
    assert _transactions(driver)[0].status == "Signed"
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    assert driver.sign(policy_id) == signed
    driver.send(signed)
    assert len(_attempts(driver)) == len(_transactions(driver)) == 1


def test_a_lost_answer_never_takes_a_second_nonce(settling: tuple[Driver, UUID], losing_node: LosingNode) -> None:
    driver, policy_id = settling
    signed = driver.sign(policy_id)
    assert signed is not None
    losing = HttpNode(losing_node.url)
    with pytest.raises(NodeUnavailable) as lost:
        broadcast.send(driver.database, losing, signed, now=driver.now())
    losing.close()
    assert lost.value.maybe_sent
    driver.chain.mine()
    again = driver.sign(policy_id)
    assert again == signed
    driver.send(signed)
    driver.chain.burn(2)
    driver.follow()
    assert driver.look(signed) == [policy_id]
    driver.sync(policy_id)
    assert driver.policy(policy_id).status_detailed == "Settled"
    assert [row.nonce for row in _transactions(driver)] == [0]


def test_two_workers_that_sign_for_one_policy_make_one_transaction(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    signer = driver.chain.signer.principal(driver.chain.contracts)
    with unit_of_work(driver.database) as session:
        transactions.lock_signer(session, signer, first_nonce=Nonce(0))
    signed = all_at_once(
        driver.database,
        lambda session: transactions.lock_signer(session, signer, first_nonce=Nonce(0)),
        lambda _: driver.sign(policy_id),
        range(3),
    )
    assert len(set(signed)) == 1
    assert [row.id for row in _transactions(driver)] == signed[:1]


def test_nonces_are_dense_and_the_next_one_is_the_chains(driver: Driver) -> None:
    ids = [driver.buy() for _ in range(3)]
    driver.chain.price("40000")
    for policy_id in ids:
        driver.activate(policy_id)
    for policy_id in ids:
        signed = driver.sign(policy_id)
        assert signed is not None
        driver.send(signed)
    driver.chain.mine()
    principal = driver.chain.signer.principal(driver.chain.contracts)
    with unit_of_work(driver.database) as session:
        next_nonce = session.get_one(SignerRow, principal).next_nonce
    assert [row.nonce for row in _transactions(driver)] == [0, 1, 2]
    assert next_nonce == driver.chain.node.account(principal).nonce == 3


def test_a_full_window_waits_and_takes_no_nonce(driver: Driver) -> None:
    first, second = driver.buy(), driver.buy()
    driver.chain.price("40000")
    for policy_id in (first, second):
        driver.activate(policy_id)
    narrow = replace(driver.chain.signer, window=1)

    def sign(policy_id: UUID) -> UUID | None:
        own = driver.chain
        return broadcast.sign_for(
            driver.database, own.node, own.contracts, narrow, [policy_id], height=driver.height, now=driver.now()
        )

    assert sign(first) is not None
    assert sign(second) is None
    assert len(_transactions(driver)) == 1
    assert driver.policy(second).status_detailed == "Settling"


def test_nothing_is_signed_for_a_policy_that_somebody_else_drives_by_now(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    sender = Sender(driver=driver)
    token = driver.policy(policy_id).lease_token
    assert sender.sign(policy_id, lease=token + 1) is None
    assert _transactions(driver) == []
    assert sender.sign(policy_id, lease=token) is not None


def test_nothing_is_signed_before_the_purchase_is_final(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    driver.chain.burn(driver.depths.confirmed)
    driver.follow()
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.chain.burn(driver.depths.final - driver.depths.confirmed - 1)
    driver.follow()
    assert driver.next(policy_id) is None
    assert driver.sign(policy_id) is None
    driver.chain.burn()
    driver.follow()
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    assert driver.edges(policy_id) == "abcd"


def test_a_confirmed_refusal_is_a_failure_with_the_contracts_number(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    driver.chain.call(
        driver.chain.deployer, driver.chain.contracts.registry, "set-backend-principal", driver.chain.principal_value()
    )
    driver.chain.mine()
    signed = driver.run(policy_id)
    assert driver.policy(policy_id).status_detailed == "FailedSettlement"
    assert driver.edges(policy_id) == "abcf"
    (row,) = _transactions(driver)
    assert (row.id, row.status) == (signed, "Aborted")
    with unit_of_work(driver.database) as session:
        entry = session.get_one(TransactionEntryRow, (signed, policy_id))
    assert (entry.refusal, entry.is_open) == (200, False)
    assert driver.next(policy_id) is None


def test_an_abort_counts_only_when_it_is_confirmed(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    driver.chain.call(
        driver.chain.deployer, driver.chain.contracts.registry, "set-backend-principal", driver.chain.principal_value()
    )
    driver.chain.mine()
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    driver.chain.mine()
    driver.follow()
    assert driver.look(signed) == []
    assert driver.policy(policy_id).status_detailed == "Settling"


def test_somebody_elses_payout_is_found_on_chain_and_not_paid_again(settling: tuple[Driver, UUID]) -> None:
    driver, policy_id = settling
    on_chain = driver.policy(policy_id).policy_id_on_chain
    assert on_chain is not None
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.chain.nonces[driver.chain.signer.principal(driver.chain.contracts)] = 1
    before = driver.balance()
    driver.send(signed)
    driver.chain.settle(on_chain, amount=7, token=Token.STX)
    driver.chain.mine()
    driver.chain.burn(2)
    driver.follow()
    for concerned in driver.look(signed):
        driver.sync(concerned)
    row = driver.policy(policy_id)
    assert row.status_detailed == "Settled"
    assert driver.balance() - before == row.settlement_amount_base_units
    assert driver.next(policy_id) is None
