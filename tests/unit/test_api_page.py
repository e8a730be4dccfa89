"""docs/api.md against the OpenAPI document: what the page names exists, and nothing that exists is left out."""

import json
import re
from pathlib import Path

from registry.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = {
    (method.upper(), path): each
    for path, item in json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"].items()
    for method, each in item.items()
}
ABBREVIATED = re.compile(r"…|\.(csv|jsonl)$")


def shape(path: str) -> str:
    """A path with its parameters left nameless."""
    return re.sub(r"\{\w+\}", "{}", path)


def named() -> set[tuple[str, str]]:
    """Every operation that the page names in code, whole."""
    return {
        (method, shape(path))
        for method, path in re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/v1/[^`?\s]+)", PAGE)
        if not ABBREVIATED.search(path)
    }


def test_every_operation_that_the_page_names_exists() -> None:
    known = {(method, shape(path)) for method, path in OPERATIONS}
    assert len(named()) > 15
    assert named() <= known


def test_every_path_of_a_command_exists() -> None:
    paths = set(re.findall(r'curl .*?"?\$URL(/v1/[^\s"?]+)', PAGE))
    assert len(paths) > 5
    assert paths <= {path for _, path in OPERATIONS}


def test_every_tag_of_the_document_has_its_place_on_the_page() -> None:
    first = {path.split("/")[2] for _, path in OPERATIONS if path.startswith("/v1/")}
    assert {each for each in first if f"/v1/{each}" not in PAGE} == set()


def test_every_code_of_the_front_door_is_explained() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "api").glob("*.py"))
    codes = set(re.findall(r'code(?:: str)? ?= ?"([a-z_]+)"', sources))
    assert len(codes) > 20
    explained = PAGE + (ROOT / "docs" / "refusals.md").read_text()
    assert {code for code in codes if f"`{code}`" not in explained} == set()


def test_every_setting_and_every_page_that_it_names_exists() -> None:
    settings = {f"REGISTRY_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"REGISTRY_[A-Z_]+", PAGE)) <= settings
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGE) if "://" not in link]
    assert links
    assert all((ROOT / "docs" / link).exists() for link in links)
