"""The secrets that pushes must bear: read from a file, kept as digests, compared in constant time."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from pathlib import Path
from stat import S_IRWXG, S_IRWXO

from registry.domain.errors import Alarm
from registry.domain.push import PushSource

LEAST_CHARACTERS = 24
_LINE = re.compile(rf"(?P<source>{'|'.join(PushSource)}) (?P<secret>[!-~]{{{LEAST_CHARACTERS},256}})")


class UnusableSecrets(Alarm):
    """A file of push secrets that must not be used as it is."""

    code = "unusable_secrets"
    sentence = "the file of push secrets {path} is not usable: {reason}"
    remedy = "make it lines of `node …` and `chainhook …`, 24 characters or more each, with mode 0600"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSecrets:
    """Who may push: the digests of each source's secrets. A source has two while one takes the other's place."""

    digests: Mapping[PushSource, tuple[bytes, ...]] = field(repr=False)

    def allow(self, source: PushSource, *given: bytes) -> bool:
        """Whether one of these is a secret of the source; how long that takes says nothing about which."""
        allowed = False
        for each in given:
            for digest in self.digests.get(source, ()):
                allowed |= compare_digest(hashlib.sha256(each).digest(), digest)
        return allowed


def read_push_secrets(path: Path | None) -> PushSecrets:
    """Read the file that only its owner can read.

    Raises:
        UnusableSecrets: there is none, others can read it, or a line is neither empty nor a source with its secret.
    """
    if path is None:
        raise UnusableSecrets(path="", reason="REGISTRY_PUSH_SECRET_FILE names none")
    try:
        readable_by_others = path.stat().st_mode & (S_IRWXG | S_IRWXO)
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise UnusableSecrets(path=str(path), reason=reason or "it cannot be read") from None
    if readable_by_others:
        raise UnusableSecrets(path=str(path), reason="others can read it")
    digests: dict[PushSource, tuple[bytes, ...]] = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise UnusableSecrets(path=str(path), reason=f"line {number} is not a source and its secret")
        source = PushSource(found["source"])
        digests[source] = (*digests.get(source, ()), hashlib.sha256(found["secret"].encode()).digest())
    if not digests:
        raise UnusableSecrets(path=str(path), reason="it holds no secret")
    return PushSecrets(digests=digests)
