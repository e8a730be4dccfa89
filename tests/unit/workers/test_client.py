"""The client in a process of its own: what it loads, what it makes of a stored error, how it waits."""

import importlib
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import registry
from registry.domain.errors import Alarm, NoCapacity, RegistryError
from registry.domain.lease import LeaseLost
from registry.domain.tier import OutsideTiers
from registry.queries import policies as shown
from registry_client.answers import Policy
from workers.client import RegistryClient
from workers.pending import Pending
from workers.refusals import ANSWERS, AnswerTimeout, BrokerUnreachable, ServerAlarm, TaskCrashed, error_of

BEHIND_THE_DATABASE = ("registry.store", "registry.services", "registry.queries")
LOADED = """
import sys
from workers.client import RegistryClient
with RegistryClient("redis://127.0.0.1:1/0"):
    pass
from registry.domain.tier import OutsideTiers
from workers.refusals import ANSWERS
assert OutsideTiers in ANSWERS.values()
print(sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_the_client_loads_no_database_code_and_no_settings() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own program
    for name in ("sqlalchemy", "sqlmodel", "psycopg2", "alembic", "pydantic", "pydantic_settings", "structlog"):
        assert f"'{name}'" not in ran.stdout
    assert "'registry'" in ran.stdout


def _kinds(kind: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def test_every_error_that_is_defined_away_from_the_database_comes_back_as_its_class() -> None:
    for module in pkgutil.walk_packages(registry.__path__, "registry."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
    domain = {kind for kind in _kinds(RegistryError) if kind.__module__.startswith("registry.domain.")}
    assert len(domain) > 20
    assert domain <= {*ANSWERS.values(), LeaseLost}, "but that a lease was lost ends a canvas, and is no answer"


@pytest.mark.parametrize("kind", list(ANSWERS.values()))
def test_what_celery_keeps_of_an_error_comes_back_with_its_figures(kind: type[RegistryError]) -> None:
    stored = {"exc_module": kind.__module__, "exc_type": kind.__qualname__, "exc_message": [{"free": 7}]}
    back = error_of(stored, task="t", task_id="i")
    assert type(back) is kind
    assert back.figures.items() >= {"free": 7}.items()


def test_a_typed_error_that_is_no_answer_is_an_alarm_with_its_figures() -> None:
    stored = {"exc_module": "registry.store.quotes", "exc_type": "QuoteMissingError", "exc_message": [{"quote": "q"}]}
    back = error_of(stored, task="premiums.quote", task_id="i")
    assert isinstance(back, ServerAlarm)
    assert back.figures == {
        "task": "premiums.quote",
        "task_id": "i",
        "error": "QuoteMissingError",
        "about": {"quote": "q"},
    }


@pytest.mark.parametrize(
    "stored",
    [
        {"exc_module": "builtins", "exc_type": "KeyError", "exc_message": ["a"]},
        {"exc_module": "os", "exc_type": "system", "exc_message": ["true"]},
        {"exc_module": "registry.domain.errors", "exc_type": "NoCapacity", "exc_message": ["no figures"]},
        {},
    ],
)
def test_anything_else_that_is_stored_is_a_crash_and_nothing_is_made_of_it(stored: Mapping[str, Any]) -> None:
    back = error_of(stored, task="t", task_id="i")
    assert isinstance(back, TaskCrashed)
    assert isinstance(back, Alarm)
    assert "tell the registry's operators, with the task's id i" in str(back)


def _pending(outcomes: list[Mapping[str, Any] | None], *, seconds: float = 5.0) -> Pending[Any]:
    return Pending(
        task="policies.request_creation",
        task_id="i",
        idempotency_key="k",
        seconds=seconds,
        look=lambda _: outcomes.pop(0) if outcomes else None,
        _end=time.monotonic() + seconds,
    )


def test_an_answer_is_waited_for_and_then_kept() -> None:
    pending = _pending([None, None, {"status": "SUCCESS", "result": 7}])
    assert not pending.is_over()
    assert pending.answer() == 7
    assert pending.answer() == 7


def test_a_refusal_is_raised_as_it_was() -> None:
    stored = {"exc_module": NoCapacity.__module__, "exc_type": "NoCapacity", "exc_message": [{"free": 1}]}
    with pytest.raises(NoCapacity):
        _pending([{"status": "FAILURE", "result": stored}]).answer()


def test_a_call_whose_time_has_run_out_is_over_and_says_which_key_to_ask_again_with() -> None:
    pending = _pending([], seconds=0.05)
    with pytest.raises(AnswerTimeout, match=r"the same idempotency key \(k\)"):
        pending.answer()
    assert pending.is_over()


def test_a_broker_that_is_not_there_is_unavailable_and_is_not_waited_for() -> None:
    began = time.monotonic()
    with (
        RegistryClient("redis://:hidden@127.0.0.1:1/0") as client,
        pytest.raises(BrokerUnreachable, match=r"refused") as unreachable,
    ):
        client.get_platform_stats()
    assert "hidden" not in str(unreachable.value)
    assert time.monotonic() - began < 5


def test_the_typed_policy_has_the_fields_that_queries_show() -> None:
    assert set(Policy.__annotations__) == {*shown._SHOWN, "chain", "as_of"}


def test_an_error_of_the_domain_needs_no_import_by_the_caller() -> None:
    stored = {"exc_module": "registry.domain.tier", "exc_type": "OutsideTiers", "exc_message": [{"accepted": []}]}
    assert isinstance(error_of(stored, task="t", task_id="i"), OutsideTiers)
