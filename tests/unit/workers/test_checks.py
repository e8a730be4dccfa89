"""What `registry doctor` makes of what it finds, and how commands print."""

import time
from pathlib import Path

import pytest

from registry.domain.errors import Refusal
from registry.stacks.network import MAINNET, TESTNET
from registry.stacks.signing import PrivateKey
from tests.unit.workers.conftest import ENVIRONMENT
from tests.unit.workers.test_cli import run
from workers.commands import paper
from workers.commands.checks import broker, software
from workers.commands.checks import environment as variables
from workers.commands.checks.check import Checks, Verdict, held, ok
from workers.commands.frame import BAD_USE, FAILED
from workers.commands.progress import Progress

OK, WARNING, PROBLEM = Verdict.OK, Verdict.WARNING, Verdict.PROBLEM


def verdicts(checks: Checks) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in checks}


@pytest.mark.parametrize(
    ("policy", "append", "save", "memory", "persistence"),
    [
        ("noeviction", "yes", "", OK, OK),
        ("allkeys-lru", "yes", "", PROBLEM, OK),
        ("noeviction", "no", "3600 1", OK, WARNING),
        ("noeviction", "no", "", OK, WARNING),
    ],
)
def test_a_broker_must_not_drop_messages_and_should_write_them_down(
    policy: str, append: str, save: str, memory: Verdict, persistence: Verdict
) -> None:
    told = {"maxmemory-policy": policy, "appendonly": append, "save": save}
    assert verdicts(broker.judge(told)) == {"broker memory": memory, "broker persistence": persistence}


def test_this_python_and_these_packages_will_do() -> None:
    found = verdicts(software.look())
    assert set(found) == {"Python", "packages"}
    assert PROBLEM not in found.values()


def test_a_package_that_is_not_the_pinned_one_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("celery==5.0.0\n")
    monkeypatch.setattr(software, "PINS", pins)
    (found,) = software.packages()
    assert (found.verdict, "celery" in found.found, "not 5.0.0" in found.found) == (WARNING, True, True)


def test_a_package_outside_its_range_is_a_problem_and_one_that_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["celery[redis]>=99", "no-such-package-of-ours>=1", "pytest>=9; extra == 'dev'"]
    monkeypatch.setattr(software, "requires", lambda _: needs)
    assert verdicts(software.packages()) == {"celery": PROBLEM, "no-such-package-of-ours": PROBLEM}


def test_a_python_outside_the_range_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "TOO_NEW_PYTHON", (3, 11))
    assert verdicts(software.python()) == {"Python": PROBLEM}


def test_a_variable_that_is_no_setting_is_a_warning_that_does_not_show_its_value() -> None:
    settings, found = variables.read({**ENVIRONMENT, "REGISTRY_BORKER_URL": "hidden"})
    assert settings is not None
    assert [(each.name, each.verdict) for each in found] == [("settings", OK), ("REGISTRY_BORKER_URL", WARNING)]
    assert "hidden" not in str(found)


@pytest.mark.parametrize("name", ["REGISTRY_BACKEND_KEY_FILE", "REGISTRY_QUOTE_KEY_FILE"])
def test_a_key_without_the_other_is_a_warning_and_one_that_others_can_read_a_problem(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "one.key"
    assert run("keys", "new", str(file))[0] == 0
    environment.setenv(name, str(file))
    other = ({"REGISTRY_BACKEND_KEY_FILE", "REGISTRY_QUOTE_KEY_FILE"} - {name}).pop()
    settings, _ = variables.read(ENVIRONMENT)
    assert settings is not None
    assert verdicts(variables.keys(settings)) == {name: OK, other: WARNING}
    file.chmod(0o644)
    assert verdicts(variables.keys(settings)) == {name: PROBLEM, other: WARNING}


def test_an_error_ends_a_part_with_a_problem_that_repeats_no_words_of_a_driver() -> None:
    def fails() -> Checks:
        yield ok("first", "it is there")
        raise ConnectionError("postgresql://registry:hidden@somewhere")

    found = list(held("part", fails))
    assert [(each.name, each.verdict) for each in found] == [("first", OK), ("part", PROBLEM)]
    assert "hidden" not in str(found)


def test_a_typed_error_says_itself_what_to_do() -> None:
    def refuses() -> Checks:
        yield from ()
        raise Refusal(reason="any")

    (found,) = held("part", refuses)
    assert (found.verdict, found.found, found.do) == (PROBLEM, Refusal.sentence, Refusal.remedy)


def test_a_new_key_is_its_owners_alone_and_only_its_addresses_are_said(tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    status, out, err = run("keys", "new", str(file), "--json")
    digits = file.read_text().strip()
    key = PrivateKey.from_hex(digits)
    assert (status, err) == (0, "")
    assert (key.address(TESTNET) in out, key.address(MAINNET) in out, digits[:64] in out) == (True, True, False)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(digits) == 66


def test_a_key_is_never_written_over_another_file(tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    file.write_text("dear")
    status, out, err = run("keys", "new", str(file))
    assert (status, out, file.read_text()) == (FAILED, "", "dear")
    assert "File exists" in err
    assert run("keys", "new", str(tmp_path / "nowhere" / "a.key"))[0] == FAILED


def test_two_new_keys_differ(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        run("keys", "new", str(file))
    assert files[0].read_text() != files[1].read_text()


def test_money_is_shown_in_coins_to_the_last_unit() -> None:
    assert paper.coins(10**35 + 1, "STX") == f"{10**29}.000001 STX"
    assert paper.coins(-5, "sBTC") == "-0.00000005 sBTC"
    assert paper.coins(None, "STX") is None
    assert paper.bitcoins(123_456_789) == "1.23456789"
    assert paper.dollars(45_000_99 * 10**6 + 10**6 - 1) == "45000.99"
    assert paper.per_cent(800_001) == "80.0001 %"


def test_a_table_is_as_wide_as_its_cells_with_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    paper.print_table(("name", "count"), [("a" * 200, 5), ("b", 12345678)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"name{' ' * 196}     count",
        f"{'a' * 200}         5",
        f"b{' ' * 199}  12345678",
    ]


def test_what_is_quick_says_nothing_and_what_is_slow_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet_seconds=60) as quick:
        quick.phase("never shown")
    assert capsys.readouterr().err == ""
    with Progress(quiet_seconds=0) as slow:
        slow.phase("the first")
        heard = ""
        end = time.monotonic() + 5
        while "the first" not in heard and time.monotonic() < end:
            heard += capsys.readouterr().err
        slow.phase("the first")
        slow.phase("the second")
    heard += capsys.readouterr().err
    assert [line.split(" s  ")[1] for line in heard.splitlines()] == ["the first", "the second"]


def test_nobody_is_asked_where_no_terminal_is() -> None:
    status, out, err = run("reset", "--directory", "/nowhere")
    assert (status, out) == (BAD_USE, "")
    assert "--yes" in err


def test_a_reset_where_nothing_is_kept_removes_nothing(tmp_path: Path) -> None:
    assert run("reset", "--directory", str(tmp_path), "--yes", "--json") == (0, '{"removed": []}\n', "")
