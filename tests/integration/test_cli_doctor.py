"""`registry doctor` on a stack that runs, and on one part after another that does not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from registry.domain.parameters import Parameters
from registry.settings import Settings
from registry.store import blocks, parameters
from registry.store.migrate import migrate
from registry.store.session import Database, unit_of_work
from tests.integration.chain import ROOT, Chain, new_hex
from tests.integration.commandline import documented, name_chain, name_database, plain_url
from tests.integration.conftest import NewDatabase
from tests.integration.driver import Driver
from tests.integration.rows import active
from tests.integration.stack import ANSWER_SECONDS, Stack, until
from workers.commands.checks import broker
from workers.commands.checks import chain as chain_checks
from workers.commands.checks import database as database_checks
from workers.commands.checks import venues as venue_checks
from workers.commands.checks.check import Check, Verdict
from workers.commands.checks.processes import GRACE_SECONDS, Fleet
from workers.commands.frame import FAILED
from workers.embedded.account import private_file
from workers.embedded.supervisor import Supervisor
from workers.local import worker
from workers.queues import QUEUES, WEBHOOKS
from workers.runtime import Runtime

OK, WARNING, PROBLEM = Verdict.OK, Verdict.WARNING, Verdict.PROBLEM
PARTS = {"software", "settings", "database", "broker", "chain", "venues", "pushes", "workers"}
# the run's own servers do without
DISPOSABLE = {"durability", "broker persistence"}


def verdicts(checks: Iterable[Check]) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in checks}


def followed(database: Database) -> bool:
    with unit_of_work(database) as session:
        return blocks.tip(session) is not None


@contextmanager
def runtime() -> Iterator[Runtime]:
    """What the environment names."""
    own = Runtime(settings=Settings())
    yield own
    own.database.close()
    own.node.close()


@pytest.fixture
def named(database: Database, chain: Chain, valkey: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names a database, a chain, its venues and a broker; no worker is there."""
    name_database(monkeypatch, plain_url(database))
    name_chain(monkeypatch, chain)
    monkeypatch.setenv("REGISTRY_BROKER_URL", valkey.removesuffix("/0") + "/7")
    monkeypatch.setenv("REGISTRY_VENUE_URL", f"{chain.url}/venues")
    monkeypatch.setenv("REGISTRY_PYTH_API_KEY", "any")
    return monkeypatch


def test_a_stack_that_runs_has_no_problem_and_no_secret_is_said(
    stack: Stack, own_supervisor: Supervisor, key_files: dict[str, str]
) -> None:
    own_supervisor.start(worker(WEBHOOKS, environment=stack.environment))
    until(lambda: followed(stack.database), seconds=ANSWER_SECONDS)
    environment = {name: each for name, each in os.environ.items() if not name.startswith("REGISTRY_")}
    environment |= {**stack.environment, **key_files}
    examined = subprocess.run(
        [sys.executable, "-m", "workers.cli", "doctor", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = json.loads(examined.stdout)
    assert {each["name"]: each["verdict"] for each in told["checks"] if each["verdict"] != "ok"} == dict.fromkeys(
        DISPOSABLE, "warning"
    )
    assert (examined.returncode, told["ok"], set(told)) == (0, True, documented("doctor"))
    assert {each["part"] for each in told["checks"]} == PARTS
    names = {each["name"] for each in told["checks"]}
    assert {
        "schema",
        "chain id",
        "liquidity-pool",
        "backend",
        "fees",
        "beat",
        *(f"queue {each}" for each in QUEUES),
    } <= names
    assert all(set(each) == {"part", "name", "verdict", "found", "do"} for each in told["checks"])
    secrets = [
        urlsplit(stack.environment[f"REGISTRY_{name}_URL"]).password for name in ("DATABASE", "BROKER", "RESULT")
    ]
    secrets += [Path(path).read_text().strip()[:64] for path in key_files.values()]
    for secret in secrets:
        assert secret
        assert secret not in examined.stdout + examined.stderr


def test_unusable_settings_are_a_problem_each_and_end_with_1(named: pytest.MonkeyPatch) -> None:
    named.setenv("REGISTRY_TIME_LIMIT_SECONDS", "soon")
    named.delenv("REGISTRY_DATABASE_URL")
    named.setenv("REGISTRY_DATABSE_URL", "a typing error")
    examined = subprocess.run(
        [sys.executable, "-m", "workers.cli", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert examined.returncode == FAILED
    lines = [line.split() for line in examined.stdout.splitlines()]
    assert {(line[0], line[1]) for line in lines if line and line[0] in {"problem", "warning"}} == {
        ("problem", "REGISTRY_DATABASE_URL"),
        ("problem", "REGISTRY_TIME_LIMIT_SECONDS"),
        ("warning", "REGISTRY_DATABSE_URL"),
    }
    assert "a typing error" not in examined.stdout


@pytest.mark.usefixtures("named")
def test_a_server_that_is_not_durable_is_a_warning_and_a_schema_at_the_head_is_well() -> None:
    with runtime() as own:
        found = verdicts(database_checks.look(own))
    assert found == {
        "PostgreSQL": OK,
        "durability": WARNING,
        "schema": OK,
        "database clock": OK,
        "parameters": OK,
        "policies": OK,
    }


def test_a_database_without_tables_or_with_newer_ones_is_a_problem(
    named: pytest.MonkeyPatch, new_database: NewDatabase
) -> None:
    empty = new_database()
    named.setenv("REGISTRY_DATABASE_URL", plain_url(empty))
    with runtime() as own:
        (schema,) = [each for each in database_checks.look(own) if each.name == "schema"]
        assert (schema.verdict, schema.do) == (PROBLEM, "run `registry migrate`")
        migrate(own.database)
        with own.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        (schema,) = database_checks.schema(own.database)
        assert (schema.verdict, "newer program" in schema.do) == (PROBLEM, True)


def test_policies_that_wait_for_a_person_are_a_warning_that_names_the_command(
    named: pytest.MonkeyPatch, database: Database
) -> None:
    assert named
    with unit_of_work(database) as session:
        session.add_all([active(1, status_detailed="FailedSettlement"), active(2, status_detailed="Quarantined")])
    told = {each.name: each.do for each in database_checks.attention(database)}
    assert told == {
        "FailedSettlement": "run `registry failures list`",
        "Quarantined": "run `registry quarantine list`",
    }


def test_a_server_that_does_not_answer_ends_its_part_without_its_password(named: pytest.MonkeyPatch) -> None:
    named.setenv("REGISTRY_DATABASE_URL", "postgresql://registry:hidden@127.0.0.1:1/registry")
    named.setenv("REGISTRY_BROKER_URL", "redis://:hidden@127.0.0.1:1/0")
    named.setenv("REGISTRY_STACKS_URL", "http://127.0.0.1:1")
    examined = subprocess.run(
        [sys.executable, "-m", "workers.cli", "doctor", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = json.loads(examined.stdout)
    assert (examined.returncode, told["ok"]) == (FAILED, False)
    found = {(each["part"], each["name"]): each["verdict"] for each in told["checks"]}
    assert [found[part, part] for part in ("database", "broker", "chain")] == ["problem"] * 3
    assert found["workers", "workers"] == "warning"
    assert "hidden" not in examined.stdout + examined.stderr


@pytest.mark.usefixtures("named")
def test_a_broker_that_may_drop_messages_is_a_problem(valkey: str) -> None:
    settings = Settings()
    with closing(Redis.from_url(valkey)) as server:
        before = str(server.config_get("maxmemory-policy")["maxmemory-policy"])
        assert verdicts(broker.look(settings))["broker memory"] is OK
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert verdicts(broker.look(settings))["broker memory"] is PROBLEM
        finally:
            server.config_set("maxmemory-policy", before)


def test_a_chain_of_another_network_is_a_problem(named: pytest.MonkeyPatch) -> None:
    named.setenv("REGISTRY_NETWORK", "mainnet")
    with runtime() as own:
        assert verdicts(chain_checks.node(own))["chain id"] is PROBLEM


@pytest.mark.usefixtures("named")
def test_a_chain_that_nobody_follows_is_a_warning_and_one_that_is_followed_is_well(driver: Driver) -> None:
    with runtime() as own:
        assert verdicts(chain_checks.node(own))["followed"] is OK
        driver.chain.burn(chain_checks.BEHIND_BLOCKS + 1)
        assert verdicts(chain_checks.node(own))["followed"] is WARNING


def test_keys_that_are_not_those_of_the_chain_are_a_problem(
    named: pytest.MonkeyPatch, chain: Chain, tmp_path: Path
) -> None:
    right = private_file(tmp_path / "backend.key", chain.backend_hex)
    wrong = private_file(tmp_path / "quote.key", new_hex())
    named.setenv("REGISTRY_BACKEND_KEY_FILE", str(right))
    named.setenv("REGISTRY_QUOTE_KEY_FILE", str(wrong))
    with runtime() as own:
        found = verdicts(chain_checks.contracts(own))
    duties = {name: found[name] for name in ("backend", "quote signer", "treasury", "fees", "pool")}
    assert duties == {"backend": OK, "quote signer": PROBLEM, "treasury": OK, "fees": OK, "pool": OK}


def test_contracts_that_are_not_there_are_a_problem(named: pytest.MonkeyPatch, chain: Chain) -> None:
    nowhere = f"{Chain(url=chain.url, node=chain.node).contracts.pool}"
    named.setenv("REGISTRY_POOL_CONTRACT", nowhere)
    with runtime() as own:
        found = verdicts(chain_checks.contracts(own))
    assert (found["liquidity-pool"], found["policy-registry"]) == (PROBLEM, OK)
    assert (found["quote signer"], found["backend"]) == (PROBLEM, OK)


def test_a_backend_that_cannot_pay_its_fees_is_a_problem(named: pytest.MonkeyPatch, chain: Chain) -> None:
    balance = chain.node.account(chain.backend.address(chain.contracts.network)).balance  # type: ignore[arg-type]
    for fee, expected in ((balance // 20, OK), (balance // 19, WARNING), (balance + 1, PROBLEM)):
        named.setenv("REGISTRY_FEE_FLOOR_MICRO_STX", str(fee))
        with runtime() as own:
            assert verdicts(chain_checks.contracts(own))["fees"] is expected, fee


@pytest.mark.usefixtures("named")
def test_a_venue_that_is_down_or_far_off_is_a_warning_until_too_few_are_left(chain: Chain) -> None:
    with runtime() as own:
        assert set(verdicts(venue_checks.look(own)).values()) == {OK}
        try:
            chain.order("venues", kraken="down", pyth={"factor": "1.05"})
            found = verdicts(venue_checks.look(own))
            assert [found[f"BTC/USD {name}"] for name in ("kraken", "pyth", "bitstamp")] == [WARNING, WARNING, OK]
            assert found["BTC/USD"] is OK
            chain.order("venues", coinbase="down")
            found = verdicts(venue_checks.look(own))
            assert (found["BTC/USD"], found["BTC/USD coinbase"]) == (PROBLEM, WARNING)
        finally:
            chain.order("venues", kraken="ok", pyth="ok", coinbase="ok")


@pytest.mark.usefixtures("named")
def test_a_venue_that_is_switched_off_is_a_warning_that_says_how_to_switch_it_on() -> None:
    with runtime() as own:
        with unit_of_work(own.database) as session:
            off = replace(Parameters(), venue_kraken_enabled=False)
            parameters.put_in_force(session, off, reason="a test")
        (kraken,) = [each for each in venue_checks.look(own) if each.name == "BTC/USD kraken"]
        (in_force,) = database_checks.in_force(own.database)
    assert (kraken.verdict, kraken.do) == (WARNING, "registry parameters set venue_kraken_enabled=true --reason …")
    assert (in_force.verdict, "venue_kraken_enabled" in in_force.found) == (WARNING, True)


@pytest.mark.usefixtures("named")
def test_a_queue_that_nobody_serves_is_a_problem_and_so_is_a_silent_beat() -> None:
    fleet = Fleet(settings=Settings())
    assert list(fleet.begin()) == []
    assert verdicts(fleet.workers()) == {f"queue {queue}": PROBLEM for queue in QUEUES}
    assert verdicts(fleet.beat(interval=0)) == {"beat": WARNING}
    fleet.handled = {f"chain@somewhere since {datetime.now(UTC)}": 5}
    assert verdicts(fleet.beat(interval=-GRACE_SECONDS)) == {"beat": PROBLEM}
