"""What follows what."""

from typing import Any
from uuid import uuid4

import pytest
from celery import Signature

from registry.domain.prices import Pair
from registry.domain.steps import Step, StepKind

POLICY, TRANSACTION = uuid4(), uuid4()


def _names(signature: Signature) -> list[str]:
    links = getattr(signature, "tasks", None)
    return [link.task for link in links] if links else [signature.task]


def _canvases() -> Any:
    from workers import canvases  # noqa: PLC0415 - it reads the settings that the environment fixture makes

    return canvases


def test_creation_is_the_ordered_chain_and_only_its_last_link_keeps_a_result() -> None:
    canvas = _canvases().creation(uuid4(), (Pair.BTC_USD, Pair.STX_USD))
    assert _names(canvas) == [
        "prices.fetch",
        "premiums.quote",
        "pool.check_capacity",
        "policies.record_attempt",
        "policies.prepare_creation",
    ]
    assert [link.options.get("ignore_result") for link in canvas.tasks] == [None, None, None, None, False]


def test_activation_ends_where_the_chain_has_to_be_waited_for() -> None:
    assert _names(_canvases().decision(POLICY, (Pair.BTC_USD,))) == ["prices.fetch", "policies.begin_settlement"]


def test_expiration_goes_from_the_mark_to_the_first_look() -> None:
    assert _names(_canvases().expiration([POLICY])) == [
        "policies.begin_expiration",
        "transactions.sign_and_broadcast",
        "transactions.monitor",
    ]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (StepKind.PREPARE_CREATION, ["policies.prepare_creation"]),
        (StepKind.GIVE_UP, ["policies.expire_quotes"]),
        (StepKind.SYNC_STATUS, ["policies.sync_status", "policies.advance"]),
        (StepKind.DECIDE, ["prices.fetch", "policies.begin_settlement"]),
        (
            StepKind.BEGIN_EXPIRATION,
            ["policies.begin_expiration", "transactions.sign_and_broadcast", "transactions.monitor"],
        ),
        (StepKind.SIGN_AND_BROADCAST, ["transactions.sign_and_broadcast", "transactions.monitor"]),
        (StepKind.MONITOR, ["transactions.monitor"]),
    ],
)
def test_every_step_has_its_canvas(kind: StepKind, names: list[str]) -> None:
    assert _names(_canvases().of_step(POLICY, Step(kind=kind, transaction_id=TRANSACTION))) == names


def test_messages_carry_ids_names_and_numbers_only() -> None:
    canvases = _canvases()
    every = [canvases.of_step(POLICY, Step(kind=kind, transaction_id=TRANSACTION)) for kind in StepKind]
    every.append(canvases.creation(uuid4(), (Pair.BTC_USD,)))
    values = [
        value for canvas in every for link in getattr(canvas, "tasks", [canvas]) for value in link.kwargs.values()
    ]
    for value in values:
        assert isinstance(value, str) or all(isinstance(each, str) for each in value)
