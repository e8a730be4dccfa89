"""compose.yaml without an engine: what the file promises, and its services as native processes, healthy."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.stacks.http_node import HttpNode
from tests.conftest import enter_first_free
from tests.integration.chain import ROOT, Chain
from tests.integration.composition import (
    ENVIRONMENT_EXAMPLE,
    FILE,
    HealthCommand,
    NativeServices,
    resolved,
    variables,
    written,
)
from tests.integration.conftest import make_database
from tests.integration.pushing import new_secrets
from workers.client import RegistryClient
from workers.embedded.account import private_file
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.supervisor import Supervisor

WORKERS = ("worker-signing", "worker-chain", "worker-default", "worker-webhooks")
LASTING = (*WORKERS, "beat", "beat-2", "api", "flower")
OURS = ("migrate", *LASTING, "devnet")
KEYS = {"backend_key", "quote_key"}
DOORS = {"push_secrets", "front_secret", "webhook_secret"}
PASSWORDS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "FLOWER_PASSWORD")
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Every service of ours, healthy."""

    natives: NativeServices
    flower_url: str
    api_url: str
    broker_url: str
    result_url: str


@pytest.fixture(scope="module")
def chain_to_be(ports: HeldPorts) -> Iterator[Chain]:
    """The devnet's contracts and keys, before there is a devnet."""
    url = f"http://127.0.0.1:{ports.hold()}"
    with closing(HttpNode(url)) as node:
        yield Chain(url=url, node=node)


@pytest.fixture(scope="module")
def natives(
    postgres: str, valkey: str, ports: HeldPorts, chain_to_be: Chain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NativeServices]:
    """Say what stands for the hosts, ports and paths of the file."""
    directory = tmp_path_factory.mktemp("services")
    passwords = {name: secrets.token_hex(8) for name in PASSWORDS}
    server = valkey.removesuffix("/0")
    with make_database(postgres, "template0") as database_url:
        places = {
            f"postgresql://registry:{passwords['POSTGRES_PASSWORD']}@postgres:5432/registry": database_url,
            f"redis://:{passwords['VALKEY_PASSWORD']}@valkey:6379/0": f"{server}/10",
            f"redis://:{passwords['VALKEY_PASSWORD']}@valkey:6379/1": f"{server}/11",
            "/run/secrets/backend_key": str(private_file(directory / "backend.key", chain_to_be.backend_hex)),
            "/run/secrets/quote_key": str(private_file(directory / "quote.key", chain_to_be.quote_hex)),
            "/run/secrets/push_secrets": str(new_secrets(directory / "push-secrets")[0]),
            "/run/secrets/front_secret": str(private_file(directory / "front-secret", secrets.token_hex(32))),
            "/run/secrets/webhook_secret": str(private_file(directory / "webhook-secret", secrets.token_hex(32))),
            "/srv/docker/": f"{ROOT}/docker/",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - it is what is taken out
            "5555": str(ports.hold()),
            "8180": str(ports.hold()),
            "3998": str(ports.hold()),
            "3999": chain_to_be.url.rpartition(":")[2],
        }
        yield NativeServices(environment={**passwords, **_filled_in(chain_to_be)}, places=places, directory=directory)


def _filled_in(chain: Chain) -> dict[str, str]:
    """What the person who makes docker/.env writes into it, besides passwords."""
    return {
        "KEYS_UID": str(os.getuid()),
        "KEYS_GID": str(os.getgid()),
        "REGISTRY_STACKS_URL": chain.url,
        "REGISTRY_VENUE_URL": f"{chain.url}/venues",
        "REGISTRY_PYTH_API_KEY": "devnet",
        "REGISTRY_REGISTRY_CONTRACT": chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": chain.contracts.sbtc,
    }


@pytest.fixture(scope="module")
def service_supervisor() -> Iterator[Supervisor]:
    """Ends the services with this module: they are called what those of other tests are called."""
    with ExitStack() as held:
        yield enter_first_free(held)


@pytest.fixture(scope="module")
def stack(service_supervisor: Supervisor, natives: NativeServices, chain_to_be: Chain) -> Running:
    """Start every service of ours as the file says; the supervisor waits for each one's own health check."""
    service_supervisor.start(natives.process("devnet"), natives.process("migrate"))
    chain_to_be.price("50000")
    chain_to_be.deploy()
    service_supervisor.start(*(natives.process(name) for name in LASTING))
    settings = natives.process("flower").environment
    return Running(
        natives=natives,
        flower_url=f"http://127.0.0.1:{natives.places['5555']}",
        api_url=f"http://127.0.0.1:{natives.places['8180']}",
        broker_url=settings["REGISTRY_BROKER_URL"],
        result_url=settings["REGISTRY_RESULT_URL"],
    )


def _specification_says(path: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - a program of the set-up


def test_the_file_is_what_the_compose_specification_allows(tmp_path: Path) -> None:
    allowed = _specification_says(FILE)
    assert allowed.returncode == 0, allowed.stdout
    mistaken = tmp_path / "compose.yaml"
    mistaken.write_text(FILE.read_text().replace("healthcheck:", "health_check:"))
    assert _specification_says(mistaken).returncode == 1


def test_no_secret_stands_in_the_file() -> None:
    # what is left of each place where a secret belongs when its variable is taken out
    text = resolved(FILE.read_text(), defaultdict(str))
    assert set(re.findall(r"://\w*:(.*)@", text)) == {""}
    assert re.findall(r"requirepass *(.*)", text) == [""]
    assert re.findall(r"REDISCLI_AUTH: *(.*)", text) == [""]
    assert re.findall(r"FLOWER_BASIC_AUTH: *(.*)", text) == ["registry:"]
    assert re.findall(r"API_KEY:(.*)", text) == ["", ""]
    assert not re.search(r"PASSWORD: *\S", text)
    secret_files = written()["secrets"]
    assert secret_files["postgres_password"] == {"environment": "POSTGRES_PASSWORD"}
    assert all(resolved(secret_files[key], defaultdict(str)) == {"file": ""} for key in KEYS | DOORS)


def test_every_variable_of_the_file_is_in_the_example_and_no_secret_has_a_value_there() -> None:
    lines = re.findall(r"^#?(\w+)=(.*)$", ENVIRONMENT_EXAMPLE.read_text(), flags=re.MULTILINE)
    example = dict(lines)
    assert set(variables(FILE.read_text())) <= set(example) <= set(variables(FILE.read_text())) | passed_on()
    assert {example[name] for name in (*PASSWORDS, "REGISTRY_STACKS_API_KEY", "REGISTRY_PYTH_API_KEY")} == {""}


def passed_on() -> set[str]:
    """What is taken from the environment as it is, if it is set there."""
    return {name for name, value in written()["x-settings"].items() if value is None}


def test_every_setting_can_be_given_to_a_container() -> None:
    settings = set(re.findall(r"^#?(REGISTRY_\w+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    of_one = {
        f"REGISTRY_{name}_FILE"
        for name in ("BACKEND_KEY", "QUOTE_KEY", "PUSH_SECRET", "FRONT_SECRET", "WEBHOOK_SECRET")
    }
    of_tests = {"REGISTRY_FAULT_POINT", "REGISTRY_FAULT_DIRECTORY"}
    assert settings - of_one - of_tests == {name for name in written()["x-settings"] if name.startswith("REGISTRY_")}


def test_no_password_and_no_place_has_a_default() -> None:
    assert {name for name, operator in variables(FILE.read_text()).items() if operator != ":?"} == {"REGISTRY_NETWORK"}


def test_only_the_worker_that_signs_has_the_keys() -> None:
    def holds_keys(service: dict[str, Any]) -> bool:
        named = any(name.endswith(("BACKEND_KEY_FILE", "QUOTE_KEY_FILE")) for name in service.get("environment", {}))
        return named or not KEYS.isdisjoint(service.get("secrets", ()))

    services = written()["services"]
    assert [name for name, service in services.items() if holds_keys(service)] == ["worker-signing"]
    assert set(services["worker-signing"]["secrets"]) == KEYS
    assert not any("volumes" in services[name] for name in OURS)


def test_only_the_front_door_has_its_secrets_and_one_worker_that_of_webhooks() -> None:
    services = written()["services"]
    held = {name: DOORS & set(service.get("secrets", ())) for name, service in services.items()}
    assert {name: found for name, found in held.items() if found} == {
        "api": DOORS,
        "worker-webhooks": {"webhook_secret"},
    }
    for variable, holders in {"PUSH": ["api"], "FRONT": ["api"], "WEBHOOK": ["worker-webhooks", "api"]}.items():
        named = [name for name in OURS if f"REGISTRY_{variable}_SECRET_FILE" in services[name].get("environment", {})]
        assert named == holders


def test_every_port_is_published_on_loopback_alone() -> None:
    published = [port for service in written()["services"].values() for port in service.get("ports", ())]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not any("network_mode" in service for service in written()["services"].values())


def test_every_process_that_lasts_has_a_health_check_and_nobody_is_root() -> None:
    services = written()["services"]
    assert set(services) == {*OURS, "postgres", "valkey"}
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"migrate"}
    for name in OURS:
        assert re.fullmatch(r"10001:10001|\$\{KEYS_UID:\?.*\}:\$\{KEYS_GID:\?.*\}", services[name]["user"])
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_nothing_starts_before_the_migration_and_the_devnet_only_when_asked_for() -> None:
    services = written()["services"]
    for name in LASTING:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert [name for name, service in services.items() if "profiles" in service] == ["devnet"]


def test_valkey_keeps_every_message() -> None:
    directives = written()["configs"]["valkey"]["content"].splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= set(directives)
    assert any(line.startswith("requirepass ") for line in directives)


def test_images_are_pinned_and_made_of_what_is_here() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)
    stages = re.findall(r" AS (\w+)$", text, flags=re.MULTILINE)
    assert all(base in stages or re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert "--constraint constraints.txt" in text
    assert "[embedded" not in text
    assert "://" not in text
    copied = [names.split()[:-1] for names in re.findall(r"^COPY ((?!--).*)$", text, flags=re.MULTILINE)]
    assert all((ROOT / name).exists() for names in copied for name in names)


def test_every_service_becomes_healthy_and_answers_as_one_system(stack: Running) -> None:
    with RegistryClient(broker_url=stack.broker_url, result_url=stack.result_url) as client:
        stats = client.send("policies.get_platform_stats", {}).answer()
    assert stats["policies"] == 0


def test_flower_shows_nothing_without_its_password(stack: Running) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{stack.flower_url}/workers", timeout=ANSWER_SECONDS).status_code == 401
        session.auth = ("registry", stack.natives.environment["FLOWER_PASSWORD"])
        assert session.get(f"{stack.flower_url}/workers", timeout=ANSWER_SECONDS).status_code == 200


def test_the_front_door_lets_nobody_in_without_a_secret(stack: Running) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{stack.api_url}/health", timeout=ANSWER_SECONDS).status_code == 200
        pushed = session.post(f"{stack.api_url}/events/node/new_block", json={}, timeout=ANSWER_SECONDS)
        assert pushed.status_code == 401


def test_a_health_check_is_not_deceived(stack: Running, tmp_path: Path) -> None:
    beat = _health_of(stack.natives.process("beat"))
    silent = HealthCommand(argv=beat.argv, environment={**beat.environment, "TMPDIR": str(tmp_path)})
    assert "has not sent anything" in silent.run().stderr
    sign = tmp_path / "registry-beat.sent"
    sign.touch()
    assert silent.run().returncode == 0
    os.utime(sign, (time.time() - 90,) * 2)
    assert "has sent nothing for 9" in silent.run().stderr

    worker = _health_of(stack.natives.process("worker-chain"))
    nobody = HealthCommand(argv=(*worker.argv[:-1], "nobody"), environment=worker.environment)
    assert "does not answer" in nobody.run().stderr
    alone = {**worker.environment, "REGISTRY_BROKER_URL": "redis://127.0.0.1:1/0"}
    assert "the broker does not answer" in HealthCommand(argv=worker.argv, environment=alone).run().stderr


def _health_of(process: Process) -> HealthCommand:
    assert isinstance(process.ready, HealthCommand)
    return process.ready
