"""The front door's secret: read from a file; keys of several purposes are made of it, none is kept anywhere."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from urllib.parse import urlsplit

from registry.domain.challenge import Site
from registry.domain.errors import Alarm
from registry.domain.keyring import KeyRing
from registry.services.sign_in import Entrance
from registry.settings import Settings
from registry.stacks.network import MAINNET, TESTNET

_LINE = re.compile(r"[0-9a-f]{64}")


class Purpose(StrEnum):
    """What keys are for."""

    CHALLENGE = "challenge"
    SESSION = "session"
    CURSOR = "cursor"


class UnusableFrontSecret(Alarm):
    """A file of the front door's secret that must not be used as it is."""

    code = "unusable_front_secret"
    sentence = "the file of the front door's secret {path} is not usable: {reason}"
    remedy = "make it lines of 64 hex digits, the newest first (openssl rand -hex 32), with mode 0600"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSecret:
    """Secrets of 32 bytes, the newest first; there are several while a new one takes an old one's place."""

    lines: tuple[bytes, ...] = field(repr=False)

    def keys(self, purpose: Purpose) -> KeyRing:
        """The keys of a purpose."""
        return KeyRing.derived(self.lines, purpose=purpose.value)


def read_front_secret(path: Path | None) -> FrontSecret | None:
    """Read the file that only its owner can read; None if none is named: then nobody can sign in.

    Raises:
        UnusableFrontSecret: it is missing, others can read it, or a line is neither empty nor 64 hex digits.
    """
    if path is None:
        return None
    try:
        readable_by_others = path.stat().st_mode & (S_IRWXG | S_IRWXO)
        lines = [line for line in path.read_text(encoding="ascii").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise UnusableFrontSecret(path=str(path), reason=reason or "it cannot be read") from None
    if readable_by_others:
        raise UnusableFrontSecret(path=str(path), reason="others can read it")
    for number, line in enumerate(lines, start=1):
        if not _LINE.fullmatch(line):
            raise UnusableFrontSecret(path=str(path), reason=f"secret {number} is not 64 hex digits, in lower case")
    if not lines or len(set(lines)) < len(lines):
        raise UnusableFrontSecret(path=str(path), reason="it holds none, or one of them twice")
    return FrontSecret(lines=tuple(bytes.fromhex(line) for line in lines))


def entrance(settings: Settings) -> Entrance | None:
    """Where owners sign in, as the settings have it; None where no secret is named.

    Raises:
        UnusableFrontSecret: as `read_front_secret`.
    """
    secret = read_front_secret(settings.front_secret_file)
    if secret is None:
        return None
    return Entrance(
        site=Site(
            url=settings.front_url.rstrip("/"),
            # whoever signs is shown no name and password of the address
            domain=urlsplit(settings.front_url).netloc.rpartition("@")[2].lower(),
            network=settings.network,
            chain_id=settings.chain_id,
        ),
        network=MAINNET if settings.network == "mainnet" else TESTNET,
        challenges=secret.keys(Purpose.CHALLENGE),
        tokens=secret.keys(Purpose.SESSION),
        token_life=timedelta(minutes=settings.session_minutes),
        session_life=timedelta(hours=settings.session_hours),
    )
