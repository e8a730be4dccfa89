"""The front door as a process, with workers and without any schedule: what is pushed moves policies by itself."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from registry.domain.push import PushSource
from registry.domain.units import StacksHeight
from registry.store import blocks
from registry.store.session import Database, unit_of_work
from registry.store.tables import PushRow
from tests.integration.chain import ROOT, Chain
from tests.integration.pushing import Caller, hook_v2, new_block, new_secrets
from tests.integration.stack import ANSWER_SECONDS, Holder, Stack, until
from workers import local
from workers.client import RegistryClient
from workers.demo.devnet import Devnet
from workers.embedded.account import private_file
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor

SECONDS = 20.0
BROKER, RESULTS = 6, 7


@dataclass
class Pushing:
    """A stack without beat, its front door, and how far the chain was pushed."""

    stack: Stack
    caller: Caller
    log: Path
    pushed: StacksHeight = field(default=StacksHeight(0))

    def push(self) -> int:
        """Push every block that was not pushed yet, each once; the id of the last push."""
        push_id = 0
        for height in range(self.pushed + 1, self.stack.chain.node.tip().height + 1):
            block = self.stack.chain.node.block(StacksHeight(height))
            assert block is not None
            answer = self.caller.post("/events/node/new_block", new_block(block))
            assert answer.status_code == 200
            push_id, self.pushed = answer.json()["push_id"], block.height
        return push_id

    def seal(self) -> None:
        """A block that is pushed as soon as it is sealed."""
        self.stack.chain.burn()
        self.push()

    def looks_in_vain(self) -> int:
        """How often a push was left to wait."""
        printed = (self.log.parent / "worker-chain.log").read_text()
        return len(re.findall(r"chain\.take_push\[\S+\] succeeded in \S+s: None", printed))

    def outcome(self, push_id: int) -> str | None:
        with unit_of_work(self.stack.database) as session:
            return session.get_one(PushRow, push_id).outcome


@pytest.fixture(scope="module")
def environment(
    valkey: str, own_chain: Chain, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Settings in which nobody looks at the chain by himself: beat is not even started."""
    server = valkey.removesuffix("/0")
    for number in (BROKER, RESULTS):
        with closing(Redis.from_url(f"{server}/{number}")) as redis:
            redis.flushdb()
    return {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": f"{server}/{BROKER}",
        "REGISTRY_RESULT_URL": f"{server}/{RESULTS}",
        "REGISTRY_STACKS_URL": own_chain.url,
        "REGISTRY_VENUE_URL": f"{own_chain.url}/venues",
        "REGISTRY_PYTH_API_KEY": "any",
        "REGISTRY_REGISTRY_CONTRACT": own_chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": own_chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": own_chain.contracts.sbtc,
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
        "TMPDIR": str(tmp_path_factory.mktemp("door")),
    }


@pytest.fixture(scope="module")
def pushing(
    own_supervisor: Supervisor,
    ports: HeldPorts,
    environment: dict[str, str],
    own_chain: Chain,
    key_files: dict[str, str],
) -> Iterator[Pushing]:
    path, made = new_secrets(Path(environment["TMPDIR"]) / "push-secrets")
    port = ports.hold()
    own_supervisor.start(
        local.worker("signing", environment={**environment, **key_files}),
        local.worker("chain", environment=environment),
        local.worker("default", environment=environment),
        local.api(port=port, environment={**environment, "REGISTRY_PUSH_SECRET_FILE": str(path)}),
    )
    client = RegistryClient(
        environment["REGISTRY_BROKER_URL"], environment["REGISTRY_RESULT_URL"], answer_seconds=ANSWER_SECONDS
    )
    with client, closing(Database(environment["REGISTRY_DATABASE_URL"])) as database:
        yield Pushing(
            stack=Stack(client=client, chain=own_chain, database=database, environment=environment),
            caller=Caller(port=port, secrets=made),
            log=own_supervisor.directory / "logs" / "api.log",
            pushed=StacksHeight(own_chain.node.tip().height - 1),
        )


def status(stack: Stack, policy_id: str) -> str:
    found = stack.client.get_by_id(policy_id).answer()
    assert found is not None
    return str(found["status_detailed"])


def test_a_push_makes_a_policy_active_without_any_poll(pushing: Pushing) -> None:
    stack, holder = pushing.stack, Holder(stack=pushing.stack)
    stack.chain.fund(holder.wallet)
    pushing.seal()
    until(lambda: _is_applied(stack, stack.chain.node.tip().index_block_hash), seconds=SECONDS)
    answer = holder.request()
    policy_id = answer["policy"]["id"]
    stack.chain.buy(holder.wallet, answer["wallet_payload"])
    until(lambda: status(stack, policy_id) == "Active", meanwhile=pushing.seal, seconds=SECONDS)


def _is_applied(stack: Stack, index_block_hash: str) -> bool:
    with unit_of_work(stack.database) as session:
        return blocks.is_canonical(session, index_block_hash)


def test_a_rollback_that_is_pushed_is_rewound_and_what_came_instead_is_applied(pushing: Pushing) -> None:
    stack, node = pushing.stack, pushing.stack.chain.node
    pushing.seal()
    lost = node.tip()
    until(lambda: _is_applied(stack, lost.index_block_hash), seconds=SECONDS)
    stack.chain.reorganise(1)
    stack.chain.mine(2)
    won = tuple(block for block in (node.block(StacksHeight(lost.height + more)) for more in (0, 1)) if block)
    answer = pushing.caller.post("/events/chainhook", hook_v2(gone=(lost,), come=won))
    assert answer.status_code == 202
    until(lambda: pushing.outcome(answer.json()["push_id"]) == "applied", seconds=SECONDS)
    assert [_is_applied(stack, each.index_block_hash) for each in (lost, *won)] == [False, True, True]
    pushing.pushed = won[-1].height


def test_a_push_that_comes_before_its_block_is_tried_again_shortly(pushing: Pushing) -> None:
    """The devnet shows a block at once: so one is sealed, taken back, and pushed while nothing stands in its place."""
    stack = pushing.stack
    stack.chain.mine()
    block = stack.chain.node.tip()
    stack.chain.reorganise(1)
    looked = pushing.looks_in_vain()
    push_id = pushing.caller.post("/events/node/new_block", new_block(block)).json()["push_id"]
    until(lambda: pushing.looks_in_vain() > looked, seconds=SECONDS)
    assert pushing.outcome(push_id) is None
    stack.chain.mine(2)
    until(lambda: pushing.outcome(push_id) == "not_canonical", seconds=SECONDS)


@contextmanager
def observed(pushing: Pushing, *observers: Mapping[str, object]) -> Iterator[None]:
    """Have the devnet push by itself, as a node and as hooks, and nobody afterwards."""
    with closing(Devnet(pushing.stack.chain.url)) as devnet:
        devnet.observe(*observers)
        try:
            yield
        finally:
            devnet.observe()


@pytest.mark.parametrize(
    ("kind", "path", "source"),
    [
        ("node", "/events/node", PushSource.NODE),
        ("chainhook-v1", "/events/chainhook", PushSource.CHAINHOOK),
        ("chainhook-v2", "/events/chainhook", PushSource.CHAINHOOK),
    ],
)
def test_blocks_that_are_pushed_twice_out_of_order_or_never_are_applied_in_theirs(
    pushing: Pushing, kind: str, path: str, source: PushSource
) -> None:
    stack = pushing.stack
    who = {"url": pushing.caller.url + path, "kind": kind, "secret": pushing.caller.secrets[source]}
    with observed(pushing, {**who, "repeat": "0.5", "lose": "0.3", "shuffle": True}):
        stack.chain.burn()
        stack.chain.reorganise(1)
        for _ in range(3):
            stack.chain.burn()
    with observed(pushing, who):
        stack.chain.burn()
        last = stack.chain.node.tip()
        until(lambda: _is_applied(stack, last.index_block_hash), seconds=SECONDS)
    pushing.pushed = last.height


def test_no_secret_is_in_what_the_front_door_prints(pushing: Pushing) -> None:
    pushing.seal()
    pushing.caller.ask("POST", "/events/node", headers={"Authorization": "Bearer who-am-I"}, data=b"{}")
    until(lambda: "push.refused" in pushing.log.read_text(), seconds=SECONDS)
    printed = pushing.log.read_text()
    assert "push.kept" in printed
    assert not any(secret in printed for secret in (*pushing.caller.secrets.values(), "who-am-I"))


def run(environment: Mapping[str, str], **more: str) -> subprocess.Popen[str]:
    """Start `python -m api` on a port of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "api", "--port=0"],
        cwd=ROOT,
        env={**local.inherited(), **environment, **more},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_does_not_start_without_secrets_or_with_a_key(
    environment: dict[str, str], key_files: dict[str, str], tmp_path: Path
) -> None:
    path, _ = new_secrets(tmp_path / "secrets")
    readable = private_file(tmp_path / "readable", path.read_text())
    readable.chmod(0o644)
    named = "REGISTRY_PUSH_SECRET_FILE"
    for given, told in (
        ({}, "names none"),
        ({named: str(readable)}, "others can read it"),
        ({named: str(path), "REGISTRY_FRONT_SECRET_FILE": str(readable)}, "the front door's secret"),
        ({named: str(path), **key_files}, "it must not be able to read a key"),
    ):
        with run(environment, **given) as door:
            _, said = door.communicate(timeout=SECONDS)
        assert door.returncode == 1
        assert told in said
        assert "Traceback" not in said


def test_it_stops_when_told_and_ends_what_it_has_begun(environment: dict[str, str], tmp_path: Path) -> None:
    path, _ = new_secrets(tmp_path / "secrets")
    with run(environment, REGISTRY_PUSH_SECRET_FILE=str(path)) as door:
        assert door.stderr is not None
        while "running on" not in (line := door.stderr.readline()):
            assert line, "it ended by itself"
        door.send_signal(signal.SIGTERM)
        _, said = door.communicate(timeout=SECONDS)
    assert door.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in said


def test_a_source_without_a_secret_may_not_push(pushing: Pushing, tmp_path: Path) -> None:
    path = private_file(tmp_path / "secrets", f"node {pushing.caller.secrets[PushSource.NODE]}\n")
    with run(pushing.stack.environment, REGISTRY_PUSH_SECRET_FILE=str(path)) as door:
        assert door.stderr is not None
        while "running on" not in (line := door.stderr.readline()):
            assert line, "it ended by itself"
        port = int(line.split("127.0.0.1:")[1].split(maxsplit=1)[0].rstrip('")'))
        own = Caller(port=port, secrets=pushing.caller.secrets)
        answers = [own.post(path, {}).status_code for path in ("/events/node", "/events/chainhook")]
        door.send_signal(signal.SIGTERM)
    assert answers == [422, 401]
