"""Python and the packages, against what this version of the program was tested with."""

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workers.commands.checks.check import Checks, held, ok, problem, warning

PACKAGE = "policy-registry"
OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 14)
PINS = Path(__file__).resolve().parents[3] / "constraints.txt"
"""There in a checkout alone."""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)


def look() -> Checks:
    """Look at all of it."""
    yield from held("Python", python)
    yield from held("packages", packages)


def python() -> Checks:
    """The interpreter."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if OLDEST_PYTHON <= sys.version_info[:2] < TOO_NEW_PYTHON:
        yield ok("Python", found)
    else:
        yield problem("Python", found, do="run it with Python 3.11 to 3.13")


def packages() -> Checks:
    """What we require, by the ranges of our own metadata and, in a checkout, by the pins of constraints.txt."""
    try:
        required = [Requirement(each) for each in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        yield warning("packages", f"{PACKAGE} itself is not installed", do="run `make setup`, or pip install it")
        return
    ours = {canonicalize_name(each.name): each for each in required if _is_needed(each)}
    wrong = {name: found for name, each in ours.items() if not each.specifier.contains(found := _version(name))}
    for name, found in wrong.items():
        yield problem(
            name, f"{found or 'it is not installed'}, {ours[name].specifier} is needed", do="run `make setup`"
        )
    pins = _pins()
    moved = [
        f"{name} {_version(name)}, not {pins[name]}"
        for name in ours
        if _version(name) != pins.get(name, _version(name))
    ]
    if moved:
        yield warning("packages", ", ".join(moved), do="run `make setup` for the versions that were tested")
    elif not wrong:
        yield ok("packages", f"{len(ours)} {'as pinned in constraints.txt' if pins else 'within their ranges'}")


def _is_needed(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _pins() -> dict[str, str]:
    if not PINS.is_file():
        return {}
    return {canonicalize_name(name): pinned for name, pinned in _PIN.findall(PINS.read_text(encoding="utf-8"))}
