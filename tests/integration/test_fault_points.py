"""Every fault point of every canvas: whoever is ended there, the end is the same."""

import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis import Redis

from registry import fault_points
from registry.settings import Settings
from tests.chaos import points as chaos
from tests.integration.chain import Chain
from tests.integration.conftest import SCHEDULE
from tests.integration.driver import Driver
from tests.integration.lives import LIVES, Life
from tests.integration.outcome import assert_sound, outcome
from tests.integration.pump import Fate, Killed, pumping
from tests.integration.scenes import SCENES
from tests.integration.stack import until
from tests.integration.stage import Stage, Subject, environment_of, stocking
from tests.integration.tracing import Trace, ended, named, names_of, reached, traced
from workers.client import RegistryClient
from workers.embedded.supervisor import Supervisor
from workers.local import beat, worker
from workers.rules import misplaced_fault

EVERYTHING = "EVERY_FAULT_POINT"
SHARE = 2
STRUCK_SECONDS = 90.0
QUESTIONS = {
    "policies.list_by_owner",
    "policies.get_by_id",
    "policies.list_expiring_between",
    "policies.list_active_by_tier",
    "policies.get_platform_stats",
    "pool.get_state",
    # a hint, of which nothing is kept: what it leads to is chain.follow
    "policies.handle_on_chain_event",
}
"""Tasks that need no fault points of their own."""
IN_SCENES = {
    # hints: what they lead to is chain.follow
    "policies.report_creation_tx",
    "chain.take_push",
    # repairs, each of which has its own tests
    "transactions.poll",
    "transactions.heal",
    "policies.reconcile",
}
"""Tasks that lives may do without: their points need names, for chaos strikes at them."""
WRITE = "WRITE_FAULT_POINTS"


@pytest.fixture(scope="module")
def environment(own_chain: Chain, database_url: str, key_files: dict[str, str]) -> dict[str, str]:
    return environment_of(own_chain, database_url=database_url, key_files=key_files)


@pytest.fixture(scope="module")
def driver(own_chain: Chain, database_url: str) -> Iterator[Driver]:
    with stocking(own_chain, database_url) as own:
        yield own


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    """What the lives reached that were traced so far, by their names."""
    return {}


@pytest.fixture(scope="module")
def covered() -> set[str]:
    """The names of the points that some life was ended at."""
    return set()


def assert_every_step_has_points(life: Life, names: frozenset[str]) -> None:
    """What a task of this life commits, and what it asks others, begins and ends at a point."""
    tasks = {name.split(":")[0] for name in names}
    assert tasks >= life.commits | life.calls
    for task in life.commits:
        assert {name.split(":")[2] for name in names if name.split(":")[0] == task} >= {"commit.before", "commit.after"}
    for task in life.calls:
        assert {name.split(":")[2] for name in names if name.split(":")[0] == task} >= {"call.before", "call.after"}


def chosen(points: Sequence[str], covered: set[str], *, seed: str) -> list[tuple[str, Fate]]:
    """Each point with each fate of its message; or those whose name no life before had, and a share of the rest.

    Of a share each is struck with one fate, as the seed says; `covered` grows by the names in it.
    """
    every = [(point, fate) for point in points for fate in Fate]
    if os.environ.get(EVERYTHING):
        return every
    draw = random.Random(seed)  # noqa: S311 - which points, not a secret
    new = [point for point in points if point.endswith("#1") and named(point) not in covered and ":call." not in point]
    covered |= {named(point) for point in new}
    rest = draw.sample([point for point in points if point not in new], SHARE)
    return [(point, draw.choice(list(Fate))) for point in new + rest]


def struck(life: Life, stage: Stage, point: str, fate: Fate) -> dict[str, Any]:
    """Live it once more and be ended at one point."""

    def strike(name: str) -> None:
        if name == point:
            raise Killed(name)

    subject = life.prepare(stage)
    stage.pump.fate = fate
    with fault_points.watched_by(fault_points.numbered(strike)):
        life.live(stage, subject)
    return ended(stage, subject)


def test_every_task_that_moves_a_policy_is_in_a_life(environment: dict[str, str]) -> None:
    with pumping(environment) as pump:
        families = ("policies", "transactions", "premiums", "prices", "pool", "chain")
        tasks = {name for name in pump.app.tasks if name.partition(".")[0] in families}
    assert tasks - set().union(*(life.commits | life.calls for life in LIVES)) == QUESTIONS | IN_SCENES


@pytest.mark.parametrize("life", LIVES, ids=lambda each: each.name)
def test_whoever_is_ended_at_a_point_the_end_is_the_same(
    life: Life, driver: Driver, environment: dict[str, str], covered: set[str], traces: dict[str, Trace]
) -> None:
    with pumping({**environment, **life.environment}) as pump:
        stage = Stage(pump=pump, driver=driver)
        trace, expected = traced(life, stage)
        traces[life.name] = trace
        strikes = chosen(trace.points, covered, seed=life.name)
        if life.stock is not None:
            stage.fill(len(strikes), **life.stock)
        assert_every_step_has_points(life, trace.names)
        print(f"{life.name}: {len(strikes)} of {2 * len(trace.points)} ends")  # noqa: T201 - asked for
        for point, fate in strikes:
            assert (point, fate, struck(life, stage, point, fate)) == (point, fate, expected)
        # whether there is something to do at a few of them, a look at a transaction above all, is a matter of time
        assert pump.kills >= len(strikes) * 3 // 4
        assert pump.crashes == []
    assert_sound(driver)


def test_chaos_strikes_at_every_point_that_is_reached(
    driver: Driver, environment: dict[str, str], traces: dict[str, Trace]
) -> None:
    for life in LIVES:
        if life.name not in traces:
            with pumping({**environment, **life.environment}) as pump:
                traces[life.name], _ = traced(life, Stage(pump=pump, driver=driver))
    with pumping(environment) as pump:
        stage = Stage(pump=pump, driver=driver)
        played = [names_of(reached(partial(scene, stage))) for scene in SCENES]
        routes, default = pump.app.conf.task_routes, pump.app.conf.task_default_queue
    each_time = frozenset[str]().union(*(trace.names for trace in traces.values()), *played)
    once = frozenset[str]().union(*(trace.once for trace in traces.values()), *played)
    found = {name: routes.get(name.partition(":")[0], {"queue": default})["queue"] for name in each_time}
    if os.environ.get(WRITE):
        chaos.write(found)
    held = chaos.read()
    assert {name.partition(":")[0] for name in found} >= IN_SCENES
    assert found.items() - held.items() == set(), f"run this file with {WRITE}=1"
    assert held.keys() - once == set(), f"nobody reaches these: run this file with {WRITE}=1"
    assert pump.crashes == []
    assert_sound(driver)


def test_what_chaos_leaves_out_is_a_point_of_somebody() -> None:
    held = chaos.read()
    assert [each for each in chaos.LEFT_OUT if not any(each in name for name in held)] == []


@pytest.fixture
def settings(environment: dict[str, str], valkey: str, tmp_path: Path) -> dict[str, str]:
    """Those of workers that are quick to look again, on a broker that nobody else uses."""
    server = valkey.removesuffix("/0")
    for number in (6, 7):
        with closing(Redis.from_url(f"{server}/{number}")) as broker:
            broker.flushdb()
    return {
        **environment,
        "REGISTRY_BROKER_URL": f"{server}/6",
        "REGISTRY_RESULT_URL": f"{server}/7",
        "REGISTRY_SCHEDULE_SECONDS": json.dumps(SCHEDULE),
        "REGISTRY_LEASE_SECONDS": "1",
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "1",
        "REGISTRY_FAULT_DIRECTORY": str(tmp_path),
    }


def some_first(points: Sequence[str]) -> list[str]:
    """A twentieth of all first times, as a seed says: a broker takes 5 s to deliver each message again."""
    first = sorted({point for point in points if point.endswith("#1")})
    return random.Random("processes").sample(first, max(1, len(first) // 20))  # noqa: S311 - as above


def test_a_worker_process_that_is_killed_at_points_leaves_the_same_end(
    driver: Driver, environment: dict[str, str], settings: dict[str, str], own_supervisor: Supervisor, tmp_path: Path
) -> None:
    life = next(each for each in LIVES if each.name == "activation")
    with pumping(environment) as pump:
        stage = Stage(pump=pump, driver=driver)
        trace, expected = traced(life, stage)
        stage.fill(1)
    subject, ends = life.prepare(stage), some_first(trace.points)
    one = worker("signing", environment={**settings, "REGISTRY_FAULT_POINT": ",".join(ends)})
    argv = tuple("--queues=signing,chain,default" if "--queues" in each else each for each in one.argv)
    own_supervisor.start(replace(one, argv=argv), beat(environment=without_keys(settings)))
    with RegistryClient(settings["REGISTRY_BROKER_URL"], settings["REGISTRY_RESULT_URL"]) as client:
        client.request_activation(subject.owner, str(id_of(subject)), idempotency_key=subject.key).answer()
    strikes = [fault_points.Strike(point=point, directory=tmp_path) for point in ends]
    until(
        lambda: outcome(driver, id_of(subject)) == expected and all(strike.has_struck() for strike in strikes),
        meanwhile=driver.chain.burn,
        seconds=STRUCK_SECONDS,
    )
    own_supervisor.stop()
    assert_sound(driver)


def without_keys(settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not name.endswith("KEY_FILE")}


def id_of(subject: Subject) -> UUID:
    assert subject.policy_id is not None
    return subject.policy_id


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"REGISTRY_NETWORK": "mainnet"}, "not testnet"), ({"REGISTRY_FAULT_DIRECTORY": "/nowhere"}, "is no directory")],
)
def test_a_fault_is_refused_where_it_would_do_harm(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, change: dict[str, str], reason: str
) -> None:
    given = {**settings, "REGISTRY_FAULT_POINT": "chain.follow::commit.after#1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert misplaced_fault(Settings()) == []
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    (told,) = misplaced_fault(Settings())
    assert reason in told
