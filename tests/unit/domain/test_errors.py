"""Errors are data: they travel as JSON, come back as the same class, and write their own sentence."""

import ast
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import registry
from registry.domain.errors import (
    Alarm,
    BadRequest,
    NoCapacity,
    PolicyNotActive,
    Refusal,
    RegistryError,
    Unavailable,
)

PACKAGE = Path(registry.__file__).parent
ALEMBIC = "registry.store.migrations"  # run by Alembic alone


def modules() -> list[str]:
    found = [each.name for each in pkgutil.walk_packages([str(PACKAGE)], "registry.")]
    return [name for name in found if not name.startswith(ALEMBIC)]


def errors() -> list[type[RegistryError]]:
    for name in modules():
        importlib.import_module(name)
    kinds, fresh = [RegistryError], [RegistryError]
    while fresh:
        fresh = [each for kind in fresh for each in kind.__subclasses__() if each.__module__.startswith("registry.")]
        kinds += fresh
    return kinds


ERRORS = errors()


def named_in(kind: type[RegistryError]) -> set[str]:
    """The figures that an error's sentence and remedy speak of."""
    return {name for _, name, _, _ in Formatter().parse(f"{kind.sentence} {kind.remedy}") if name}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_comes_back_from_a_result_backend_as_itself(kind: type[RegistryError]) -> None:
    sent = kind({name: f"<{name}>" for name in named_in(kind)})
    received = kind(*json.loads(json.dumps(sent.args)))
    assert type(received) is kind
    assert (received.figures, str(received), received.args) == (sent.figures, str(sent), sent.args)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_a_sentence_shows_every_figure_that_it_names(kind: type[RegistryError]) -> None:
    said = str(kind({name: f"<{name}>" for name in named_in(kind)}))
    assert "{" not in said
    assert all(f"<{name}>" in said for name in named_in(kind))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_says_whether_to_change_the_request_ask_again_or_call_a_person(kind: type[RegistryError]) -> None:
    branches = [branch for branch in (Refusal, Unavailable, Alarm) if issubclass(kind, branch)]
    assert len(branches) == (kind is not RegistryError)
    assert kind.code == kind.code.lower()
    assert kind.remedy


def test_no_two_errors_that_are_raised_share_a_code() -> None:
    codes = [kind.code for kind in ERRORS]
    assert sorted(codes) == sorted(set(codes))


def raises() -> Iterator[tuple[str, str, set[str]]]:
    """Each `raise Error(name=…)` of ours: where, which, and the figures it brings."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            call = node.exc if isinstance(node, ast.Raise) else None
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
                continue
            if all(each.arg for each in call.keywords):
                brought = {str(each.arg) for each in call.keywords}
                yield f"{path.relative_to(PACKAGE)}:{call.lineno}", call.func.id, brought


def test_every_raise_brings_the_figures_that_its_sentence_names() -> None:
    by_name = {kind.__name__: kind for kind in ERRORS}
    ours = [(where, by_name[name], brought) for where, name, brought in raises() if name in by_name]
    assert len(ours) > 50
    assert [(where, named_in(kind) - brought) for where, kind, brought in ours if named_in(kind) - brought] == []


def test_figures_are_given_by_name_or_as_one_mapping() -> None:
    once = PolicyNotActive(policy="p", status="Settled")
    assert once.figures == {"policy": "p", "status": "Settled"}
    assert PolicyNotActive({"policy": "p"}, status="Settled").figures == once.figures


def test_a_caller_receives_code_sentence_and_figures() -> None:
    told = NoCapacity(tier="Balanced", token="STX", free=5, needed=7, bound="tier").as_json()  # noqa: S106 - a coin
    assert told == {
        "code": "no_capacity",
        "sentence": "the Balanced tier has 5 STX base units free, this policy needs 7; "
        "ask for a smaller amount, the other token, or later",
        "figures": {"tier": "Balanced", "token": "STX", "free": 5, "needed": 7, "bound": "tier"},
    }


def test_a_figure_with_braces_is_shown_as_it_is() -> None:
    assert "{oops}" in str(BadRequest(field="after", reason="{oops}"))
