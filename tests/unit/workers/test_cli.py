"""The `registry` command: quick to help, and in sentences where it refuses."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from registry.domain.errors import BadRequest
from tests.unit.workers.conftest import ENVIRONMENT
from workers.cli import BAD_USE, FAILED, app, parse_changes

COMMANDS = (["demo"], ["up"], ["migrate"], ["parameters", "show"], ["parameters", "set"])
HEAVY = {"celery", "kombu", "sqlalchemy", "sqlmodel", "alembic", "requests", "psycopg2"}


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from workers.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert HEAVY.isdisjoint(told.stdout.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(command: list[str]) -> None:
    status, out, _ = run(*command, "--help")
    assert status == 0
    assert f"registry {' '.join(command)}" in out.partition("Examples:")[2]


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


def test_a_database_that_does_not_answer_is_a_sentence_without_its_password() -> None:
    assert "hidden" in ENVIRONMENT["REGISTRY_DATABASE_URL"]
    status, out, err = run("parameters", "show")
    assert (status, out) == (FAILED, "")
    assert err.startswith("error: the database is not usable")
    assert "hidden" not in err
