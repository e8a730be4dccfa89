"""Requests to a front door: bounded in time, tried again where that is harmless, answers as types or errors."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from registry_client.errors import ApiAlarm, ApiError, ApiRefused, ApiUnavailable, NotSignedIn
from registry_client.shapes import WIDE_NAMES
from registry_client.wide import narrowed

REDIRECT, UNAUTHORIZED, INTERNAL, BAD_GATEWAY = 300, 401, 500, 502
LATER = frozenset({408, 429, 503})
"""What says that nothing was done, or that the same may be sent again."""
Query = Mapping[str, object]
"""Texts, numbers, or lists of them; what is None is not sent."""
Bearer = Callable[[], str | None]
"""Gives the token of the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to connect, of the other side's silence, and of trying one call again and again."""

    connect_seconds: float = 3.0
    silence_seconds: float = 30.0
    trying_seconds: float = 30.0
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 5.0


class _Borne(AuthBase):
    """Sends a token, and nothing that a .netrc holds."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """One connection pool to one front door; a thread has its own."""

    def __init__(self, url: str, *, bearer: Bearer, patience: Patience) -> None:
        """Connect to nothing yet."""
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self.bearer = bearer
        self.patience = patience

    def close(self) -> None:
        """End every connection."""
        self._session.close()

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Ask for something, again if it is not there for a moment."""
        return self._json(self.repeated("GET", path, query=query))

    def change(self, method: str, path: str, *, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Have something changed that has no key of its own: sent once, for a repeat might change it twice."""
        return self._json(self._checked(self.send(method, path, body=body)))

    def repeated(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send what may be sent again until it is answered, or until patience ends.

        Raises:
            ApiRefused: the request will not do.
            ApiUnavailable: there was no answer in all that time.
        """
        end, pause = time.monotonic() + self.patience.trying_seconds, self.patience.first_pause_seconds
        while True:
            try:
                return self._checked(self.send(method, path, query=query, body=body, headers=headers))
            except ApiUnavailable as error:
                wait = max(pause * (0.5 + random.random()), _asked_for(error))  # noqa: S311 - spreads callers in time
                if time.monotonic() + wait >= end:
                    raise
                time.sleep(wait)
                pause = min(2 * pause, self.patience.longest_pause_seconds)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        silence_seconds: float | None = None,
        is_stream: bool = False,
    ) -> requests.Response:
        """Send once; a broken connection is `ApiUnavailable`, whatever is answered is an answer."""
        try:
            return self._session.request(
                method,
                self._url + path,
                params=cast(
                    "Mapping[str, str]", {name: said for name, said in (query or {}).items() if said is not None}
                ),
                json=body,
                headers=dict(headers or {}),
                auth=_Borne(self.bearer()),
                timeout=(self.patience.connect_seconds, silence_seconds or self.patience.silence_seconds),
                allow_redirects=False,
                stream=is_stream,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            sentence = f"the registry could not be reached, or broke off: {type(error).__name__}"
            raise ApiUnavailable(sentence, code="unreachable") from error

    def _checked(self, answer: requests.Response) -> requests.Response:
        if answer.status_code < REDIRECT:
            return answer
        raise error_of(answer)

    def _json(self, answer: requests.Response) -> Any:  # noqa: ANN401 - JSON
        return read(answer.content)


def at(*parts: object) -> str:
    """The path of something under /v1, whatever it is called."""
    return "/".join(["/v1", *(quote(str(part), safe="") for part in parts)])


def read(body: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """An answer's body with its wide integers as integers; None where it is empty."""
    return narrowed(json.loads(body), WIDE_NAMES) if body else None


def error_of(answer: requests.Response) -> ApiError:
    """An answer that is none, as the error that it is."""
    try:
        told = answer.json()
    except requests.JSONDecodeError:
        told = None
    told = told if isinstance(told, dict) else {}
    kind = _kind_of(answer.status_code)
    error = kind(
        str(told.get("detail", f"the registry answered {answer.status_code}")),
        code=str(told.get("code", "unknown")),
        status=answer.status_code,
        figures=told.get("figures"),
        request_id=answer.headers.get("X-Request-Id"),
    )
    wait = answer.headers.get("Retry-After", "")
    if wait.isdecimal():
        error.figures.setdefault("retry_after_seconds", int(wait))
    return error


def _kind_of(status: int) -> type[ApiError]:
    if status == UNAUTHORIZED:
        return NotSignedIn
    if status in LATER or status >= BAD_GATEWAY:
        return ApiUnavailable
    return ApiAlarm if status == INTERNAL else ApiRefused


def _asked_for(error: ApiError) -> float:
    seconds = error.figures.get("retry_after_seconds", 0)
    return float(seconds)
