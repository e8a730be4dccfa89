"""The account that servers run under when we are root, and where it may look."""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from registry.domain.errors import RegistryError

# Only root may write here, so nobody can have put something in our way under a name that we will use.
ROOTS_PLACE = Path("/var/lib/policy-registry")
DIRECTORY_MODE = 0o711


class NoPlace(RegistryError):
    """There is no directory that the servers' account can reach."""

    code = "no_place"
    sentence = "{account} cannot enter {directory}, and {place} cannot be made: {reason}"
    remedy = "move the checkout to where others may enter, or run as a user that is not root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this machine, by numbers."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Name whom servers run under: `nobody` when we are root (PostgreSQL refuses root), else None: ourselves."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(name=nobody.pw_name, uid=nobody.pw_uid, gid=nobody.pw_gid)


def can_enter(directory: Path) -> bool:
    """Whether any user may pass through this directory and all above it."""
    path = directory.resolve()
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))


def private_directory(path: Path, account: Account | None) -> Path:
    """Make a directory that its owner alone may look into."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def private_file(path: Path, text: str, account: Account | None = None) -> Path:
    """Write a file that its owner alone may read, from its first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
    return path


def lasting_file(path: Path, text: str) -> Path:
    """Write such a file in one step, to be whole or as it was before, whenever the machine stops."""
    part = private_file(path.with_name(f"{path.name}.part"), text)
    _sync(part)
    part.replace(path)
    _sync(path.parent)
    return path


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def server_place(directory: Path, account: Account | None) -> Path:
    """Find where the data of servers goes: `directory`, or, if `account` cannot enter it, a place of root's.

    The second is named after the first, and `directory/servers` then links to it.
    """
    if account is None or can_enter(directory):
        return directory
    place = ROOTS_PLACE / hashlib.sha256(bytes(directory.resolve())).hexdigest()[:12]
    make_place(place, directory=directory, account=account)
    link = directory / "servers"
    link.unlink(missing_ok=True)
    link.symlink_to(place)
    return place


def make_place(place: Path, *, directory: Path, account: Account) -> None:
    """Make a directory of root's that `account` can enter but not write to."""
    try:
        for one in (ROOTS_PLACE, place):
            one.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            one.chmod(DIRECTORY_MODE)
    except OSError as error:
        raise NoPlace(
            account=account.name, directory=str(directory), place=str(place), reason=error.strerror
        ) from error
