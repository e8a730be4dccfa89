"""The page of refusals: every error that a caller can get, as its class says it, and nothing else."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import registry
from registry.domain.access import NotLetIn
from registry.domain.errors import Alarm, Conflict, Refusal, RegistryError, Unavailable
from registry.domain.lease import LeaseLost
from registry.domain.settlement import PayoutRefused
from registry.market.venue import VenueError
from registry.services.effects import EvidenceMissingError
from registry.services.failures import FailureClosed, FailureMissing, MessageGivenUp, NotFailed
from registry.services.quarantine import NothingToRelease, NotQuarantined
from registry.services.signers import NoSuchSigner, SignerNotPaused, SignerPaused
from registry.stacks.node import CallReadFailed, TipGone
from registry.stacks.shapes import UnexpectedValue
from registry.store.transactions import TransactionMissingError
from workers.refusals import ANSWERS, AnswerTimeout, BrokerUnreachable, ServerAlarm, TaskCrashed

PAGE = Path(__file__).parents[2] / "docs" / "refusals.md"

OF_THE_CLIENT = {AnswerTimeout, BrokerUnreachable, ServerAlarm, TaskCrashed}
BRANCHES = (Refusal, Unavailable, Alarm)
NEVER_RAISED = {*BRANCHES, Conflict, NotLetIn, PayoutRefused}
NEVER_TOLD = {
    VenueError,  # the feed counts it among the venues that failed
    TipGone,  # what only the audit and the followers of the chain read at
    CallReadFailed,
    UnexpectedValue,
    EvidenceMissingError,  # of a policy's edges, which no caller waits for
    TransactionMissingError,
    LeaseLost,  # ends a canvas, or is passed over; an owner's own request asks for no lease
    MessageGivenUp,  # of a message that nobody waits for any more; whoever does meets `ServerAlarm`
    NotFailed,  # what only an operator's command meets
    FailureClosed,
    FailureMissing,
    NotQuarantined,
    NothingToRelease,
    NoSuchSigner,
    SignerPaused,
    SignerNotPaused,
}


def _kinds(kind: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def _told() -> set[type[RegistryError]]:
    """Whatever the registry defines, without what its callers never meet and what they meet as `ServerAlarm`."""
    for module in pkgutil.walk_packages(registry.__path__, "registry."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
    own = {kind for kind in _kinds(RegistryError) if kind.__module__.startswith("registry.")}
    never = {kind for kind in own if issubclass(kind, tuple(NEVER_TOLD))}
    alarms = {kind for kind in own if kind.__module__.startswith("registry.store.") and issubclass(kind, Alarm)}
    return (own - NEVER_RAISED - never - alarms) | OF_THE_CLIENT


def _row(kind: type[RegistryError]) -> tuple[str, str, str, str, str]:
    branch = next(each.__name__ for each in BRANCHES if issubclass(kind, each))
    return f"`{kind.code}`", f"`{kind.__name__}`", branch, kind.sentence, kind.remedy


def _rows() -> dict[str, list[str]]:
    """The table of codes, by code: the cells of each row."""
    table = PAGE.read_text().partition("## Codes")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    cells = {row[0]: row for row in rows[2:]}
    assert len(cells) == len(rows) - 2, "a code is listed twice"
    return cells


def test_the_page_lists_what_a_caller_can_get_and_nothing_else() -> None:
    assert set(_rows()) == {f"`{kind.code}`" for kind in _told()}


@pytest.mark.parametrize("kind", sorted(_told(), key=str))
def test_a_row_says_what_its_class_says(kind: type[RegistryError]) -> None:
    code, name, branch, sentence, figures, remedy = _rows()[f"`{kind.code}`"]
    assert (code, name, branch, sentence, remedy) == _row(kind)
    named = {name for text in (kind.sentence, kind.remedy) for _, name, _, _ in Formatter().parse(text) if name}
    assert named <= set(re.findall(r"`(\w+)`", figures))


def test_what_a_row_promises_comes_back_to_a_client_as_its_class() -> None:
    assert _told() - OF_THE_CLIENT <= set(ANSWERS.values())


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in _told()]
    assert len(codes) == len(set(codes))
