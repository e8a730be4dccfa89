"""A short run of chaos costs nothing: whatever dies meanwhile, nothing is lost, doubled, stuck or adrift."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.chaos.lives import Way, lives
from tests.chaos.points import AT_ONCE, Strikes, read, why_left_out
from tests.chaos.schedule import DEEPEST_FORK, Kind, plan
from tests.integration.chain import ROOT
from workers.queues import QUEUES

SEED = 20
POLICIES = 24
MINUTES = 0.4
FEWEST_FAULTS = 8
RUN_SECONDS = 180.0
"""For a machine that is busy with other things; alone it takes a quarter of that."""
LINE = re.compile(
    r"policies (\d+) · faults (\d+) · lost 0 · doubled 0 · stuck 0 · drift 0 · recovery p95 (?:[\d.]+|–) s\n"
)


def test_the_same_seed_gives_the_same_faults_and_the_same_lives() -> None:
    assert plan(seed=7, seconds=60, gap=1) == plan(seed=7, seconds=60, gap=1)
    assert plan(seed=7, seconds=60, gap=1) != plan(seed=8, seconds=60, gap=1)
    assert lives(40, seed=7) == lives(40, seed=7)


def test_every_kind_of_fault_comes_before_any_comes_again() -> None:
    faults = plan(seed=SEED, seconds=600, gap=1)
    rounds = [[each.kind for each in faults[at : at + len(Kind)]] for at in range(0, len(faults), len(Kind))]
    assert all(sorted(each) == sorted(Kind) for each in rounds[:-1])
    assert {each.depth for each in faults} == set(range(DEEPEST_FORK + 1))
    assert [each.at for each in faults] == sorted(each.at for each in faults)


def test_even_few_policies_take_every_way() -> None:
    assert {each.way for each in lives(len(Way), seed=SEED)} == set(Way)
    assert len({each.key for each in lives(300, seed=SEED)}) == 300


def ends(strikes: Strikes, queue: str) -> list[str]:
    """At which points the queue's next worker ends."""
    return [each for each in strikes.environment(queue).get("REGISTRY_FAULT_POINT", "").split(",") if each]


def test_a_worker_ends_at_no_point_in_its_first_life_and_at_each_within_a_few(tmp_path: Path) -> None:
    strikes = Strikes(directory=tmp_path)
    lived = [{queue: ends(strikes, queue) for queue in QUEUES} for _ in range(4)]
    assert not any(lived[0].values())
    first = {point.removesuffix("#1") for life in lived for points in life.values() for point in points}
    assert first >= {name for name in read() if why_left_out(name) is None}
    assert not any(why_left_out(name) for name in first)
    for life in lived[1:]:
        for points in life.values():
            together = Counter((point.rpartition(":")[0], point.partition("#")[2]) for point in points)
            assert max(together.values(), default=0) <= AT_ONCE


def test_no_worker_ends_again_at_a_point_that_was_struck(tmp_path: Path) -> None:
    strikes = Strikes(directory=tmp_path)
    strikes.environment(QUEUES[0])
    struck, *others = ends(strikes, QUEUES[0])
    (tmp_path / struck).touch()
    named, told = struck.partition("#")[0], strikes.to_json()
    assert named not in {point.partition("#")[0] for point in ends(strikes, QUEUES[0])}
    assert told["struck"] == [struck]
    assert named not in told["missed"]
    assert {point.partition("#")[0] for point in others} <= set(told["missed"])


def test_a_short_run_loses_and_doubles_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ("--policies", str(POLICIES), "--minutes", str(MINUTES), "--seed", str(SEED), "--report", str(report))
    done = subprocess.run(  # noqa: S603 - our own program
        (sys.executable, "-m", "tests.chaos", *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    line = LINE.fullmatch(done.stdout)
    assert line is not None, (done.stdout, done.stderr)
    told = json.loads(report.read_text())
    assert done.returncode == 0
    assert told["seed"] == SEED
    assert int(line[1]) == POLICIES
    assert not told["faults_not_done"], told["faults_not_done"]
    assert int(line[2]) == len(told["faults"]) > FEWEST_FAULTS
    assert not told["slow"]
    assert {"Settled", "Expired", "FailedCreation"} <= set(told["statuses"])
