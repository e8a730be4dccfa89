"""The `registry` command: quick to help, and in sentences where it refuses."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from registry.domain.errors import BadRequest
from tests.unit.workers.conftest import ENVIRONMENT
from workers.cli import app
from workers.commands.frame import BAD_USE, FAILED
from workers.commands.parameters import parse_changes

HEAVY = {
    "celery",
    "kombu",
    "sqlalchemy",
    "sqlmodel",
    "alembic",
    "requests",
    "psycopg2",
    "coincurve",
    "redis",
}


def _walk(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from _walk(each, *names, name)
    if not hasattr(command, "commands"):
        yield names, command


COMMANDS = dict(_walk(typer.main.get_command(app)))


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from workers.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "assert CliRunner().invoke(app, ['policies', 'show', '--help']).exit_code == 0;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert HEAVY & set(told.stdout.split()) == set()


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example_and_speaks_json(names: tuple[str, ...]) -> None:
    status, out, _ = run(*names, "--help")
    assert status == 0
    assert f"registry {' '.join(names)}" in out.partition("Examples:")[2]
    assert "--json" in out.partition("Examples:")[0]
    heading, *examples = COMMANDS[names].epilog.split("\n\n")
    assert heading == "Examples:"
    for example in examples:
        assert example.startswith(f"registry {' '.join(names)}"), example


def test_the_page_of_commands_lists_each_of_them_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    listed = re.findall(r"^\| `registry ([a-z -]+?)(?: [^a-z`][^`]*)?` \|", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted(" ".join(names) for names in COMMANDS)


def test_a_change_is_an_integer_or_a_switch() -> None:
    changes = ["quote_valid_blocks=30", "creation_enabled=false", "activation_enabled=true"]
    assert parse_changes(changes) == {
        "quote_valid_blocks": 30,
        "creation_enabled": False,
        "activation_enabled": True,
    }


@pytest.mark.parametrize("change", ["quote_valid_blocks", "quote_valid_blocks=", "fee_ppm=1.5", "creation_enabled=yes"])
def test_any_other_change_is_refused_by_name(change: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_changes([change])
    assert str(refused.value.figures["field"]) == change.partition("=")[0]


def test_a_missing_setting_is_named_in_a_sentence(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("REGISTRY_DATABASE_URL")
    status, out, err = run("migrate")
    assert (status, out) == (BAD_USE, "")
    assert err.startswith("error: ")
    assert "REGISTRY_DATABASE_URL" in err


@pytest.mark.parametrize(
    "command",
    [
        ("migrate",),
        ("parameters", "show"),
        ("policies", "list"),
        ("policies", "show", "7"),
        ("pool", "show"),
        ("quarantine", "list"),
        ("failures", "list"),
    ],
    ids=" ".join,
)
def test_a_database_that_does_not_answer_is_a_sentence_without_its_password(command: tuple[str, ...]) -> None:
    assert "hidden" in ENVIRONMENT["REGISTRY_DATABASE_URL"]
    status, out, err = run(*command, "--json")
    assert (status, out) == (FAILED, "")
    assert err.startswith("error: the database is not usable")
    assert "hidden" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("policies", "list", "--limit", "0"),
        ("policies", "list", "--status", "Paid"),
        ("quarantine", "release", "7", "--tier", "Low", "--reason", "r"),
        ("quarantine", "release", "7", "--tier", "Balanced"),
        ("failures", "retry", "7"),
        ("nothing",),
    ],
    ids=" ".join,
)
def test_bad_use_ends_with_2_and_says_nothing_on_stdout(arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (BAD_USE, "")
    assert err
