"""The `registry demo` command, as a program: what it prints, how it ends, and that it leaves nobody behind."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.program import STOP_SECONDS, Program, running
from tests.integration.stack import until
from workers.audit.audit import CHECKS

DEMO_SECONDS = 90.0
FIELDS = {
    "id",
    "policy_id_on_chain",
    "status_detailed",
    "status_on_chain",
    "risk_tier",
    "premium_token",
    "premium_amount_base_units",
    "settlement_amount_base_units",
    "tx_id_creation",
    "tx_id_status_update",
}


@pytest.fixture
def demo() -> Iterator[Program]:
    with running("demo") as own:
        yield own


def test_every_life_ends_as_it_should_and_the_audit_holds(demo: Program) -> None:
    until(lambda: {"postgres", "flower", "beat"} <= demo.members(), seconds=DEMO_SECONDS)
    assert demo.left_behind()
    status, out, err = demo.end(seconds=DEMO_SECONDS)
    assert status == 0, err
    assert demo.left_behind() == set()
    told = json.loads(out)
    assert set(told) == {"policies", "audit", "seconds"}
    assert told["audit"] == {"ok": True, "checks": dict.fromkeys(CHECKS, True)}
    assert all(set(policy) >= FIELDS for policy in told["policies"])
    assert sorted(_ending(policy) for policy in told["policies"]) == [
        ("Expired", 2, "STX"),
        ("FailedCreation", None, None),
        ("Settled", 1, "STX"),
        ("Settled", 1, "sBTC"),
    ]
    settled = [policy for policy in told["policies"] if policy["status_detailed"] == "Settled"]
    assert all(policy["settlement_amount_base_units"] > 0 for policy in settled)
    assert all(len(policy["tx_id_creation"]) == len(policy["tx_id_status_update"]) == 64 for policy in settled)


def _ending(policy: dict[str, Any]) -> tuple[str, int | None, str | None]:
    return policy["status_detailed"], policy["status_on_chain"], policy["premium_token"]


@pytest.mark.parametrize("moment", ["postgres", "worker-signing", "wallet-runs-out"])
def test_a_polite_kill_at_any_moment_leaves_no_process(demo: Program, moment: str) -> None:
    log = demo.directory / "logs" / f"{moment}.log"
    until(lambda: bool(demo.members()) and log.exists(), seconds=DEMO_SECONDS)
    begun = time.monotonic()
    demo.process.send_signal(signal.SIGTERM)
    status, out, err = demo.end(seconds=STOP_SECONDS)
    assert time.monotonic() - begun < STOP_SECONDS
    assert (status, out) == (128 + signal.SIGTERM, "")
    assert "Traceback" not in err
    assert demo.left_behind() == set()
