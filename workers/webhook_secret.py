"""The secret that endpoints' secrets are made of: a file with a line of 64 hex digits."""

import re
from pathlib import Path
from stat import S_IRWXG, S_IRWXO

from registry.domain.errors import Alarm

_LINE = re.compile(r"[0-9a-f]{64}")


class UnusableWebhookSecret(Alarm):
    """A file of the webhooks' secret that must not be used as it is."""

    code = "unusable_webhook_secret"
    sentence = "the file of the webhooks' secret {path} is not usable: {reason}"
    remedy = (
        "make it a line of 64 hex digits (openssl rand -hex 32), with mode 0600, the same for worker and front door"
    )


def read_webhook_secret(path: Path | None) -> bytes | None:
    """Read the file that only its owner can read; None if none is named: then nobody can be told.

    Raises:
        UnusableWebhookSecret: it is missing, others can read it, or it is not 64 hex digits.
    """
    if path is None:
        return None
    try:
        readable_by_others = path.stat().st_mode & (S_IRWXG | S_IRWXO)
        line = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise UnusableWebhookSecret(path=str(path), reason=reason or "it cannot be read") from None
    if readable_by_others:
        raise UnusableWebhookSecret(path=str(path), reason="others can read it")
    if not _LINE.fullmatch(line):
        raise UnusableWebhookSecret(path=str(path), reason="it is not one line of 64 hex digits, in lower case")
    return bytes.fromhex(line)
