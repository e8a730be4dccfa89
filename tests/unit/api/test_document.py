"""The OpenAPI document: kept as a file, and whole."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from api.document import PATH, TAGS, document, operations, written
from api.write_document import application


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    with application() as app:
        return document(app)


def test_the_file_is_what_the_routes_say(made: dict[str, Any]) -> None:
    assert PATH.read_text() == written(made), "run .venv/bin/python -m api.write_document"


def test_every_operation_says_what_it_is(made: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(set(names)) == len(names)
    for path, method, operation in operations(made):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert set(operation["tags"]) <= set(TAGS), where
        assert any(status.startswith("2") for status in operation["responses"]), where


def test_nothing_of_the_framework_s_own_refusals_is_told(made: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in written(made)


def test_bounds_are_told_by_the_schema_s_own_words(made: dict[str, Any]) -> None:
    for word in ("ge", "gt", "le", "lt", "min_length", "max_length"):
        assert f'"{word}":' not in written(made)


def test_every_example_is_one(made: dict[str, Any]) -> None:
    seen = 0
    for where, described in _described(made):
        given = [described["example"]] if "example" in described else []
        given += [each["value"] for each in described.get("examples", {}).values()]
        assert given or "schema" not in described or _shows_itself(described["schema"]), where
        for each in given:
            if "schema" in described:
                schema = {**described["schema"], "components": made["components"]}
                wrong = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(each)]
                assert wrong == [], where
                seen += 1
    assert seen > 100


def _described(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whatever has a schema in an operation: parameters and contents, with where it is."""
    for path, method, operation in operations(made):
        where = f"{method} {path}"
        for parameter in operation.get("parameters", []):
            yield f"{where} {parameter['name']}", parameter
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                yield f"{where} {status}", content
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{where} body", content


def _shows_itself(schema: dict[str, Any]) -> bool:
    return bool({"example", "examples", "enum", "const"} & set(schema))
