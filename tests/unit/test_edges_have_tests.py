"""Every letter of the state diagram has a test that is named by it."""

import re
from pathlib import Path

from registry.domain.policy import Edge

TESTS = Path(__file__).parents[1] / "integration"


def test_every_letter_of_the_diagram_has_a_test_that_is_named_by_it() -> None:
    pages = "".join(page.read_text() for page in TESTS.glob("test_*.py"))
    named = re.findall(r"^def test_edge_((?:[a-z]_and_)*[a-z])_", pages, re.MULTILINE)
    letters = {letter for letters in named for letter in letters.split("_and_")}
    assert letters == {edge.value for edge in Edge}
