"""The `registry up` command: a stack for services to use, which lasts from start to start."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from registry.domain.units import Principal
from registry.stacks.http_node import HttpNode
from tests.integration.chain import ROOT
from tests.integration.lasting import Made, Up, kill_all, nonces, refused, services, starting, up
from tests.integration.stack import Holder, as_kept, until
from workers.demo.lasting import StillRunning
from workers.demo.up import reset
from workers.embedded.node import find_node
from workers.embedded.supervisor import AlreadyRunning
from workers.local import inherited

START_SECONDS = 60.0


@pytest.fixture
def place(made: Made) -> Path:
    """Where the stacks of these tests lie."""
    return made.directory.parent


@pytest.fixture
def own(made: Made) -> Iterator[Path]:
    """A copy of it for one test."""
    directory = made.copy(made.directory.with_name("own"))
    yield directory
    shutil.rmtree(directory)


def test_a_first_start_that_was_killed_is_begun_anew(place: Path) -> None:
    directory = place / "killed"
    for moment in ("initdb.log", "registry-migrate.log"):
        with starting(directory) as program:
            until((directory / "logs" / moment).exists, seconds=START_SECONDS)
            kill_all(program)
        assert not (directory / "made").exists()
    with up(directory) as said, services(said, directory) as stack:
        assert stack.client.get_platform_stats().answer()["policies"] == 0
        assert stack.chain.node.contract_exists(stack.chain.contracts.pool)


def test_a_stack_that_was_killed_goes_on_from_where_it_was(made: Made, own: Path) -> None:
    with up(own) as said:
        with services(said, own) as stack:
            asked = Holder(stack=stack, wallet=made.wallet).request(key="asked before the end")
        said.kill()
        with pytest.raises(StillRunning, match=r"postgres \(\d+\).*`registry up` ends them"):
            reset(own)
        kill_all(said.program)
    with up(own) as said, services(said, own) as stack:
        assert as_kept(stack.client.get_by_id(made.policy["id"]).answer()) == as_kept(made.policy)
        known = Holder(stack=stack, wallet=made.wallet).request(key="asked before the end")
        assert known["policy"]["id"] == asked["policy"]["id"]


@pytest.mark.parametrize(("gone", "left"), [("postgres", "devnet.journal"), ("devnet.journal", "postgres")])
def test_one_without_the_other_is_refused_and_reset_clears_the_way(made: Made, own: Path, gone: str, left: str) -> None:
    lost = own / gone
    lost.rename(own / "elsewhere")
    told = refused(own)
    assert told.startswith(f"error: chain and database in {own} do not belong together: the ")
    assert f"{lost} is missing" in told
    assert f"`registry reset --directory {own}` removes both" in told
    assert (own / left).exists()
    removed = reset(own)
    assert {path.name for path in removed} == {
        left,
        "valkey",
        "access.json",
        "keys",
        "push-secrets",
        "front-secret",
        "webhook-secret",
        "environment",
    }
    assert not any(path.exists() for path in removed)
    assert reset(own) == ()
    if gone == "postgres":
        with up(own) as said, services(said, own) as stack:
            assert stack.client.get_platform_stats().answer()["policies"] == 0
            contract = said.environment["REGISTRY_REGISTRY_CONTRACT"]
            assert contract != made.said["environment"]["REGISTRY_REGISTRY_CONTRACT"]


def test_the_chain_of_another_stack_is_refused(made: Made, own: Path) -> None:
    node, journal = find_node(), own / "devnet.journal"
    assert node is not None
    journal.unlink()
    argv = [*node.node, "devnet/main.mjs", "--port", "0", "--block-ms", "1", "--journal", str(journal)]
    with subprocess.Popen(argv, cwd=ROOT, env=inherited(), stdout=subprocess.DEVNULL) as other:  # noqa: S603 - ours
        until(lambda: journal.exists() and journal.read_text().count("\n") > made.height, seconds=START_SECONDS)
        other.terminate()
    told = refused(own)
    assert "do not belong together: at height " in told
    assert f"`registry reset --directory {own}` removes both" in told


def test_a_journal_that_was_changed_is_refused(own: Path) -> None:
    journal = own / "devnet.journal"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:-20], *lines[-10:]]) + "\n")
    told = refused(own)
    assert told.startswith("error: the chain cannot be brought back: ")
    assert f"`registry reset --directory {own}` removes chain and database" in told


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A stack that was started a second time and runs, and the nonces of its chain as they were at once."""

    up: Up
    directory: Path
    nonces: dict[str, int]


@pytest.fixture(scope="module")
def again(made: Made) -> Iterator[Again]:
    """The stopped stack, started again, for the last tests to look at."""
    directory = made.copy(made.directory.with_name("again"))
    with up(directory) as said:
        with services(said, directory) as stack:
            found = nonces(stack, made.wallet, directory)
        yield Again(up=said, directory=directory, nonces=found)


def test_a_policy_is_active_after_a_restart_and_can_still_be_paid(made: Made, again: Again) -> None:
    policy_id, on_chain = made.policy["id"], made.policy["policy_id_on_chain"]
    assert (on_chain, made.policy["status_detailed"]) == (1, "Active")
    with services(again.up, again.directory) as stack:
        assert as_kept(stack.client.get_by_id(policy_id).answer()) == as_kept(made.policy)
        assert stack.client.get_platform_stats().answer()["policies"] == 1
        stack.chain.price("40000")
        Holder(stack=stack, wallet=made.wallet).activate(policy_id)
        assert stack.wait_for(policy_id, "Settled")["policy_id_on_chain"] == on_chain


def test_the_chain_is_the_same_one_after_a_restart(made: Made, again: Again) -> None:
    assert again.nonces == made.nonces
    with services(again.up, again.directory) as stack:
        assert stack.chain.node.tip().height >= made.height
        block = stack.chain.node.block(made.height)
        assert block is not None
        assert block.index_block_hash == made.block


def test_what_a_service_was_told_holds_after_a_restart(made: Made, again: Again) -> None:
    secrets = "REGISTRY_PUSH_SECRET_FILE"
    was, now = (dict(stack.said["environment"]) for stack in (made, again.up))
    assert (was.pop(secrets), now.pop(secrets)) == (f"{made.directory}/push-secrets", f"{again.directory}/push-secrets")
    assert now == was
    assert again.up.said["addresses"] == made.said["addresses"]
    at = again.up.said["addresses"]
    assert requests.get(f"{at['flower']}/workers", timeout=10).status_code == 401
    own = (at["flower_user"], at["flower_password"])
    assert requests.get(f"{at['flower']}/workers", auth=own, timeout=10).status_code == 200


def test_the_front_door_takes_what_the_devnet_pushes(again: Again) -> None:
    url = again.up.environment["REGISTRY_STACKS_URL"]

    def delivered() -> int:
        told = requests.get(f"{url}/devnet/observers", timeout=10).json()
        (observer,) = told["observers"]
        assert (observer["failed"], "secret" in observer) == (0, False)
        return int(observer["delivered"])

    until(lambda: delivered() > 0, seconds=START_SECONDS)


def test_what_is_kept_is_its_owners_alone(again: Again) -> None:
    modes = {path: path.lstat() for path in again.directory.rglob("*") if not path.is_symlink()}
    assert {"access.json", "devnet.journal", "made", "keys", "push-secrets", "postgres", "valkey", "logs"} <= {
        path.relative_to(again.directory).parts[0] for path in modes
    }
    files = {path: stat.S_IMODE(found.st_mode) for path, found in modes.items() if stat.S_ISREG(found.st_mode)}
    places = {path: stat.S_IMODE(found.st_mode) for path, found in modes.items() if stat.S_ISDIR(found.st_mode)}
    assert {path: oct(mode) for path, mode in files.items() if mode != 0o600} == {}
    assert {path: oct(mode) for path, mode in places.items() if mode != 0o700} == {}
    # root's servers are nobody's, who has to pass through
    own = 0o711 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE(again.directory.stat().st_mode) == own


def test_a_stack_that_runs_is_neither_started_twice_nor_removed(again: Again) -> None:
    pid = again.up.program.process.pid
    assert refused(again.directory).startswith(
        f"error: another one is running in {again.directory} (process {pid}); stop it with Ctrl-C"
    )
    with pytest.raises(AlreadyRunning, match=f"process {pid}"):
        reset(again.directory)
    with closing(HttpNode(again.up.environment["REGISTRY_STACKS_URL"])) as node:
        assert node.contract_exists(Principal(again.up.environment["REGISTRY_POOL_CONTRACT"]))
