"""What follows what."""

from typing import Any
from uuid import uuid4

import pytest
from celery import Signature

from registry.domain.lease import Held
from registry.domain.prices import Pair
from registry.domain.steps import Step, StepKind
from registry.services.advance import Drive

POLICY, TRANSACTION = uuid4(), uuid4()
TOKEN = 7


def _drive(kind: StepKind) -> Drive:
    return Drive(step=Step(kind=kind, transaction_id=TRANSACTION), token=TOKEN)


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
    assert _names(_canvases().expiration([Held(policy_id=POLICY, token=TOKEN)])) == [
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
        (StepKind.RETRY, ["policies.retry_failed"]),
    ],
)
def test_every_step_has_its_canvas(kind: StepKind, names: list[str]) -> None:
    assert _names(_canvases().of_step(POLICY, _drive(kind))) == names


@pytest.mark.parametrize("kind", sorted(set(StepKind) - {StepKind.MONITOR}))
def test_whatever_writes_to_a_policy_bears_the_token_of_whoever_drives_it(kind: StepKind) -> None:
    canvas = _canvases().of_step(POLICY, _drive(kind))
    links = {link.task: link.kwargs for link in getattr(canvas, "tasks", [canvas])}
    writing = links.keys() - {"prices.fetch", "transactions.monitor", "policies.advance"}
    assert writing
    for task in writing:
        assert links[task].get("lease") == TOKEN or links[task].get("leases") == {str(POLICY): TOKEN}


def test_messages_carry_ids_names_and_numbers_only() -> None:
    canvases = _canvases()
    every = [canvases.of_step(POLICY, _drive(kind)) for kind in StepKind]
    every.append(canvases.creation(uuid4(), (Pair.BTC_USD,)))
    values = [
        value for canvas in every for link in getattr(canvas, "tasks", [canvas]) for value in link.kwargs.values()
    ]
    for value in values:
        assert isinstance(value, str | int) or all(isinstance(each, str) for each in value)
