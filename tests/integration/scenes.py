"""Scenes: hints and repairs, played for the names of their fault points; strikes at them have tests of their own."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlmodel import col

from registry import fault_points
from registry.domain.push import PushSource
from registry.domain.units import BlockHash, StacksHeight
from registry.services import pushes, reconciliation
from registry.store.session import unit_of_work
from registry.store.tables import SignerRow
from tests.integration.lives import LIVES, bought
from tests.integration.pump import Fate, Killed
from tests.integration.pushing import new_block
from tests.integration.stage import Stage

PAGE = 5
UNSENT = "transactions.sign_and_broadcast:settle:commit.after#1"

Scene = Callable[[Stage], None]


def a_hint(stage: Stage) -> None:
    """A wallet reports a purchase; a node pushes its block, and one that nobody shows."""
    subject, node = bought(stage), stage.driver.chain.node
    told = {"owner_principal": subject.owner, "policy_id": str(subject.policy_id), "tx_id": f"0x{'1' * 64}"}
    stage.send("policies.report_creation_tx", told)
    tip = node.block(node.tip().height)
    assert tip is not None
    ahead = replace(tip, height=StacksHeight(tip.height + 1), index_block_hash=BlockHash("f" * 64))
    for block in (tip, ahead):
        body = json.dumps(new_block(block)).encode()
        stage.send("chain.take_push", pushes.keep(stage.driver.database, PushSource.NODE, body).id)


def bytes_that_were_not_sent(stage: Stage) -> None:
    """A payout is signed and not sent, behind a nonce that no transaction of ours has."""
    life = next(each for each in LIVES if each.name == "activation")
    stage.fill(1)
    with unit_of_work(stage.driver.database) as session:
        session.execute(update(SignerRow).values(next_nonce=col(SignerRow.next_nonce) + 1))

    def strike(name: str) -> None:
        if name == UNSENT:
            raise Killed(name)

    subject, stage.pump.fate = life.prepare(stage), Fate.LOST
    with fault_points.watched_by(fault_points.numbered(strike)):
        life.begin(stage, subject)
    # before anybody drives the policy again
    stage.send("transactions.heal")
    life.live(stage, subject)


def a_comparison(stage: Stage) -> None:
    """Postgres is compared with the contracts, in several pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciliation, "PAGE", PAGE)
        stage.send("policies.reconcile")


SCENES: tuple[Scene, ...] = (a_hint, bytes_that_were_not_sent, a_comparison)
