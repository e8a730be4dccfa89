"""Traces: which fault points a life, or a scene, reaches while nobody strikes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from registry import fault_points
from tests.integration.lives import Life
from tests.integration.outcome import outcome
from tests.integration.stage import Stage, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The points that were reached each time, in order and with their turns; and names that were reached at all."""

    points: tuple[str, ...]
    once: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """The names of what was reached each time."""
        return names_of(self.points)


def named(point: str) -> str:
    """A point's name: `task:purpose:place`, whatever the turn."""
    return point.partition("#")[0]


def names_of(points: Iterable[str]) -> frozenset[str]:
    """The names of points, each once."""
    return frozenset(named(point) for point in points)


def ended(stage: Stage, subject: Subject) -> dict[str, Any]:
    """What became of a subject's policy."""
    policy = stage.policy(subject)
    assert policy is not None
    return outcome(stage.driver, policy.id)


def traced(life: Life, stage: Stage) -> tuple[Trace, dict[str, Any]]:
    """Live it twice undisturbed: what was reached, and how it ended."""
    turns: list[list[str]] = []
    if life.stock is not None:
        stage.fill(2, **life.stock)
    for _ in range(2):
        subject = life.prepare(stage)
        turns.append(reached(partial(life.live, stage, subject)))
    again = set(turns[1])
    both = tuple(point for point in turns[0] if point in again)
    return Trace(points=both, once=names_of(turns[0] + turns[1])), ended(stage, subject)


def reached(play: Callable[[], None]) -> list[str]:
    """Play something: what points its tasks reached, in order and with their turns."""
    points: list[str] = []
    with fault_points.watched_by(fault_points.numbered(points.append)):
        play()
    return [point for point in points if not point.startswith(fault_points.OUTSIDE)]
