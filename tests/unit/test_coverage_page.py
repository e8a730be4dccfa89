"""The page of what was ordered: whatever it names exists, and nothing that was ordered is missing from it."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Index

from registry.domain.policy import Edge
from registry.store.tables import PolicyRow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coverage.md").read_text()
REFUSALS = (ROOT / "docs" / "refusals.md").read_text()

QUERIES = {"listByOwner", "getById", "listExpiringBetween", "listActiveByTier", "getPlatformStats"}
MUTATIONS = {
    "recordNewPolicyAttempt",
    "updatePolicyFromCreationEvent",
    "updatePolicyFromStatusEvent",
    "setPolicyStatusDetailed",
}
STEPS = {
    "requestPolicyCreation": 10,
    "requestPolicyActivation": 9,
    "triggerPolicyStatusUpdate": 4,
    "handleOnChainEvent": 3,
}
FIELDS = 24


def rows(title: str, *, level: int = 2) -> list[list[str]]:
    """The cells of the table under a heading."""
    mark = "#" * level
    text = PAGE.partition(f"\n{mark} {title}\n")[2]
    assert text, f"there is no {title}"
    table = re.split(r"\n#+ ", text)[0]
    lines = [line for line in table.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def ticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def named_tests(text: str) -> list[str]:
    return [name for name in ticked(text) if name.startswith("test_")]


def defined_tests() -> set[str]:
    pages = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for page in pages for name in re.findall(r"^def (test_\w+)\(", page, re.MULTILINE)}


def defined_tasks() -> set[str]:
    pages = (path.read_text() for path in (ROOT / "workers").glob("*.py"))
    return {name for page in pages for name in re.findall(r'@app\.task\(name="([a-z_.]+)"', page)}


def test_every_file_that_the_page_names_is_there() -> None:
    named = {name for name in ticked(PAGE) if re.fullmatch(r"[\w./-]+\.(py|mjs|md|yaml|clar)|docker/\w+", name)}
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(named_tests(PAGE))
    assert len(named) > 80
    assert named - defined_tests() == set()


def test_every_task_is_on_the_page_and_none_that_is_not_there() -> None:
    families = {name.partition(".")[0] for name in defined_tasks()}
    named = {name for name in ticked(PAGE) if name.count(".") == 1 and name.partition(".")[0] in families}
    assert {name for name in named if not name.endswith(".py")} == defined_tasks()


def test_every_function_that_stands_beside_a_module_is_in_it() -> None:
    beside = re.findall(r"`(\w+)` in `([\w/]+\.py)`", PAGE)
    assert beside
    for function, module in beside:
        assert re.search(rf"(def {function}\(|\"{function}\")", (ROOT / module).read_text()), (function, module)


@pytest.mark.parametrize(
    "title", ["Table `policies`: fields", "Queries", "Mutations", "Jobs", "Edges", "Refusals", "Beyond the page"]
)
def test_every_row_names_a_test(title: str) -> None:
    for row in rows(title):
        assert any("test_" in name for name in ticked(row[-1])), row


def test_every_ordered_field_has_its_column() -> None:
    shown = set(PolicyRow.__table__.columns.keys())  # type: ignore[attr-defined] # SQLModel's
    columns = {ticked(row[1])[0]: row[0] for row in rows("Table `policies`: fields")}
    assert len(columns) == FIELDS
    assert set(columns) <= set(shown)
    for column, ordered in columns.items():
        assert column == re.sub(r"_+", "_", re.sub(r"([A-Z])", r"_\1", ordered).lower()), ordered


def test_every_ordered_index_is_defined_as_the_page_says() -> None:
    defined = {}
    for index in (each for each in PolicyRow.__table_args__ if isinstance(each, Index)):
        columns = ", ".join(str(column.name) for column in index.columns)
        where = index.dialect_options["postgresql"]["where"]
        unique = "unique " if index.unique else ""
        defined[f"`{index.name}`"] = f"{unique}({columns})" + (f" where {where}" if where is not None else "")
    ordered = {row[1]: row[2] for row in rows("Table `policies`: indexes")}
    assert len(ordered) == 6
    assert ordered == {name: defined[name] for name in ordered}


def test_every_query_and_mutation_is_listed() -> None:
    assert {row[0] for row in rows("Queries")} >= QUERIES
    assert {row[0] for row in rows("Mutations")} == MUTATIONS


@pytest.mark.parametrize(("action", "steps"), STEPS.items())
def test_every_step_of_an_action_is_listed_with_its_module_its_task_and_its_test(action: str, steps: int) -> None:
    listed = rows(action, level=3)
    assert [row[0] for row in listed] == [str(step) for step in range(1, steps + 1)]
    for _, _, where, task, test in listed:
        assert "`" in where
        assert set(ticked(task)) <= defined_tasks()
        assert named_tests(test)


def test_every_edge_has_its_row() -> None:
    assert [row[0] for row in rows("Edges")] == sorted(edge.value for edge in Edge)


def test_every_code_of_the_page_of_refusals_has_its_test() -> None:
    table = REFUSALS.partition("## Codes")[2].partition("\n## ")[0]
    codes = re.findall(r"^\| (`\w+`) \|", table, re.MULTILINE)
    assert sorted(row[0] for row in rows("Refusals")) == sorted(codes)
