"""What each answer of a node means: a table without a gap."""

import pytest

from registry.domain.transaction import Verdict
from registry.domain.units import TxId
from registry.stacks.node import Accepted, BroadcastReason, Rejected
from registry.stacks.verdicts import VERDICTS, verdict_on

R, V = BroadcastReason, Verdict


def rejected(reason: BroadcastReason) -> Rejected:
    return Rejected(reason=reason, data={}, message=reason.value)


def test_every_reason_has_its_verdict() -> None:
    assert set(VERDICTS) == set(BroadcastReason)


def test_only_an_acceptance_means_that_it_was_sent() -> None:
    assert verdict_on(Accepted(txid=TxId("a" * 64))) is V.SENT
    assert V.SENT not in VERDICTS.values()


@pytest.mark.parametrize("reason", [R.BAD_NONCE, R.CONFLICTING_NONCE, R.UNKNOWN, R("SomethingNew")])
def test_what_may_have_been_sent_is_looked_up_first(reason: BroadcastReason) -> None:
    assert verdict_on(rejected(reason)) is V.RESOLVE


@pytest.mark.parametrize(
    "reason",
    [R.NOT_ENOUGH_FUNDS, R.SIGNATURE_VALIDATION, R.BAD_TRANSACTION_VERSION, R.SERIALIZATION, R.DESERIALIZATION],
)
def test_what_would_hold_for_every_transaction_of_the_key_pauses_it(reason: BroadcastReason) -> None:
    assert verdict_on(rejected(reason)) is V.PAUSE


@pytest.mark.parametrize(
    "reason",
    [R.TOO_MUCH_CHAINING, R.ESTIMATOR_ERROR, R.NO_SUCH_CHAIN_TIP, R.DATABASE_FAILURE, R.OTHER_FAILURE],
)
def test_what_time_mends_is_tried_again_as_it_is(reason: BroadcastReason) -> None:
    assert verdict_on(rejected(reason)) is V.RETRY
