"""One line of `registry doctor`: what was looked at, how it stands, what to do."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from registry.domain.errors import RegistryError


class Verdict(StrEnum):
    """How a thing stands. A warning does no harm yet; with a problem something does not work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `found` and `do` hold no secret, `do` is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    found: str
    do: str = ""

    def to_json(self) -> dict[str, str]:
        """The four of them by name."""
        return asdict(self)


Checks = Iterator[Check]


def ok(name: str, found: str) -> Check:
    """It is as it should be."""
    return Check(name=name, verdict=Verdict.OK, found=found)


def warning(name: str, found: str, *, do: str) -> Check:
    """It does no harm yet."""
    return Check(name=name, verdict=Verdict.WARNING, found=found, do=do)


def problem(name: str, found: str, *, do: str) -> Check:
    """Something does not work until this is done."""
    return Check(name=name, verdict=Verdict.PROBLEM, found=found, do=do)


def trouble(name: str, error: RegistryError) -> Check:
    """A typed error says itself what was found and what to do."""
    found = error.sentence.format_map(error.figures)
    return problem(name, found, do=error.remedy.format_map(error.figures))


def held(name: str, look: Callable[[], Checks]) -> Checks:
    """Look at one part; an error ends that part with a problem, never the whole."""
    try:
        yield from look()
    except RegistryError as error:
        yield trouble(name, error)
    except Exception as error:  # noqa: BLE001 - a doctor does not die of what it finds
        # its type alone: the words of a driver may repeat a URL with its password
        yield problem(name, f"it could not be looked at: {type(error).__name__}", do="see that it answers, and as what")
