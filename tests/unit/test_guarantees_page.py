"""The page of guarantees: every promise names a test, and every test that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def rows(title: str) -> list[str]:
    """The lines of the table under a heading, without its head."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_every_promise_and_every_incident_names_a_test_that_is_there() -> None:
    pages = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = {name for page in pages for name in re.findall(r"^def (test_\w+)\(", page, re.MULTILINE)}
    promises = rows("What is promised") + rows("Incidents of others")
    assert len(promises) > 25
    for row in promises:
        named = set(re.findall(r"`(test_\w+)`", row))
        assert named, row
        assert named <= defined, named - defined
