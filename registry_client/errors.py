"""What a call over HTTP ends with where it has no answer.

ApiError
├── ApiRefused         the request will never do as it stands; its caller changes it, or signs in
│   └── NotSignedIn    nobody bears the token, or it has ended
├── ApiUnavailable     nothing is wrong with the request; the same one may do later, an action under the same key
└── ApiAlarm           what must not happen has; tell the registry's operators, with `request_id`
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """`code` for programs, `sentence` for people, `figures` for both; `request_id` is for the registry's operators."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        status: int | None = None,
        figures: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.status = status
        self.figures = dict(figures or {})
        self.request_id = request_id

    def __str__(self) -> str:
        """Say what happened, with its code."""
        return f"{self.sentence} ({self.code})"


class ApiRefused(ApiError):
    """The request will never do as it stands."""


class NotSignedIn(ApiRefused):
    """Nobody bears the token, or it has ended."""


class ApiUnavailable(ApiError):
    """Nothing is wrong with the request. `idempotency_key` is what an action was asked under: ask again with it."""

    idempotency_key: str | None = None


class ApiAlarm(ApiError):
    """What must not happen has."""
