"""What a stack that lasts keeps beside its data: keys, passwords, ports, and that it was made to the end."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from registry.domain.errors import RegistryError
from workers.demo.deployment import Cast
from workers.embedded.account import lasting_file, private_directory
from workers.local import CHECKOUT, Access

UP = CHECKOUT / ".registry" / "up"
"""Where a stack lasts unless its command names another directory."""

DEVNET_JOURNAL = "devnet.journal"
ACCESS, KEYS, MADE, ENVIRONMENT = "access.json", "keys", "made", "environment"


class KeptUnusable(RegistryError):
    """A file without which the stack cannot go on is gone or is not what was written."""

    code = "kept_unusable"
    sentence = "{path} is not usable: {reason}"
    remedy = "put it back as it was, or begin anew: `{reset}` removes chain and database, `registry up` makes new ones"


def reset_command(directory: Path) -> str:
    """How to remove what is kept in a directory, as it is typed."""
    return "registry reset" if directory == UP else f"registry reset --directory {shlex.quote(str(directory))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The files of a stack that lasts, in the supervisor's directory; each is its owner's alone."""

    directory: Path

    @property
    def journal(self) -> Path:
        """The chain, as the devnet keeps it."""
        return self.directory / DEVNET_JOURNAL

    @property
    def is_made(self) -> bool:
        """Whether a first start came to its end here."""
        return (self.directory / MADE).is_file()

    def mark_made(self) -> None:
        """Say that all is there: written last, so a start that was cut short is begun anew."""
        lasting_file(self.directory / MADE, "The first start came to its end.\n")

    def forget_made(self) -> None:
        """Take the word back before anything is removed."""
        (self.directory / MADE).unlink(missing_ok=True)

    def write_access(self, access: Access) -> None:
        """Keep ports and passwords."""
        lasting_file(self.directory / ACCESS, json.dumps(asdict(access), indent=2) + "\n")

    def write_environment(self, environment: Mapping[str, str]) -> Path:
        """Write what a service needs to know as a file that a shell reads."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        return lasting_file(self.directory / ENVIRONMENT, "\n".join(lines) + "\n")

    def access(self) -> Access:
        """Read ports and passwords.

        Raises:
            KeptUnusable: they cannot be read.
        """
        path = self.directory / ACCESS
        try:
            return Access(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise self._unusable(path, error) from error

    def new_cast(self) -> Cast:
        """Make everyone's key and keep it."""
        place = private_directory(self.directory / KEYS, None)
        cast = Cast()
        for each in fields(Cast):
            wallet = getattr(cast, each.name)
            lasting_file(place / wallet.name, wallet.key)
        return cast

    def cast(self) -> Cast:
        """Read everyone's key.

        Raises:
            KeptUnusable: one is missing or is no key.
        """
        wallets = {each.name: getattr(Cast(), each.name) for each in fields(Cast)}
        kept = {name: replace(wallet, key=self._key(wallet.name)) for name, wallet in wallets.items()}
        for wallet in kept.values():
            try:
                _ = wallet.address
            except ValueError as error:
                raise self._unusable(self.directory / KEYS / wallet.name, error) from None
        return Cast(**kept)

    def _key(self, name: str) -> str:
        path = self.directory / KEYS / name
        try:
            return path.read_text().strip()
        except (OSError, ValueError) as error:
            raise self._unusable(path, error) from None

    def _unusable(self, path: Path, error: Exception) -> KeptUnusable:
        # what cannot be read may hold a secret, so no more than the kind of error is told
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        return KeptUnusable(path=str(path), reason=reason, reset=reset_command(self.directory))
