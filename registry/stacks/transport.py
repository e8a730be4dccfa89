"""HTTP to one node, in which nothing waits for ever and nothing grows without bound."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests
import urllib3

from registry.bounded_http import bounded_session, ends_at
from registry.fault_points import reached
from registry.outside.bucket import Bucket, Cost
from registry.stacks.answers import Answer
from registry.stacks.node import NodeUnavailable, NotAsked

_CHUNK = 64 * 1024
_SECONDS = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds to connect, of silence while reading and for a whole answer; bytes of its body."""

    connect_seconds: float = 3.0
    silence_seconds: float = 10.0
    answer_seconds: float = 20.0
    body_bytes: int = 8 * 1024 * 1024


class Transport:
    """A session with one node. One per process: its sockets do not survive a fork."""

    def __init__(self, base_url: str, *, api_key: str | None, limits: Limits, bucket: Bucket | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._limits = limits
        self._bucket = bucket
        self._session = bounded_session()
        # The node is whom the settings name: no proxy and no .netrc of the machine comes between.
        self._session.trust_env = False
        # Uncompressed, or a small body could unpack to any size.
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        if api_key is not None:
            self._session.headers["x-api-key"] = api_key

    def get(self, path: str, *, params: Mapping[str, str | int | None] | None = None) -> Answer:
        """Ask; parameters that are None are left out."""
        return self._send("GET", path, cost=Cost.READ, params=params)

    def post(
        self,
        path: str,
        body: bytes,
        *,
        content_type: str,
        cost: Cost,
        params: Mapping[str, str | int | None] | None = None,
    ) -> Answer:
        """Send a body; parameters that are None are left out."""
        return self._send("POST", path, cost=cost, body=body, content_type=content_type, params=params)

    def close(self) -> None:
        """Give the sockets back."""
        self._session.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        cost: Cost,
        params: Mapping[str, str | int | None] | None,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Answer:
        endpoint = f"{method} {path}"
        self._take(cost, endpoint=endpoint)
        reached("call.before")
        deadline = time.monotonic() + self._limits.answer_seconds
        try:
            with (
                ends_at(deadline),
                self._session.request(
                    method,
                    self._base_url + path,
                    params=params,
                    data=body,
                    headers={"Content-Type": content_type} if content_type else None,
                    timeout=(self._limits.connect_seconds, self._limits.silence_seconds),
                    allow_redirects=False,  # a redirected POST arrives as a GET
                    stream=True,
                ) as response,
            ):
                answer = Answer(
                    endpoint=endpoint,
                    status=response.status_code,
                    body=self._read_body(response, endpoint=endpoint),
                    retry_after=_seconds(response.headers.get("Retry-After")),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            overdue = f"not complete after {self._limits.answer_seconds} s" if time.monotonic() >= deadline else None
            raise NodeUnavailable(
                endpoint=endpoint, reason=overdue or _reason(error), maybe_sent=not _never_connected(error)
            ) from error
        reached("call.after")
        return answer

    def _take(self, cost: Cost, *, endpoint: str) -> None:
        """Keep to our share of the minute: a worker never waits for it."""
        seconds = self._bucket.take(cost) if self._bucket else 0.0
        if seconds > 0:
            reason = "our share of calls in this minute is used up"
            raise NotAsked(endpoint=endpoint, reason=reason, retry_after=math.ceil(seconds))

    def _read_body(self, response: requests.Response, *, endpoint: str) -> bytes:
        body = bytearray()
        # read1 returns what has come: read would keep it all until the whole length is there
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > self._limits.body_bytes:
                raise NodeUnavailable(endpoint=endpoint, reason=f"over {self._limits.body_bytes} bytes")
        return bytes(body)


def _never_connected(error: Exception) -> bool:
    """Tell a failure before the first byte left from one after."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, urllib3.exceptions.MaxRetryError) and isinstance(
        cause.reason, urllib3.exceptions.NewConnectionError
    )


def _reason(error: Exception) -> str:
    """Name a failure without the address, which may hold a credential."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return f"no connection ({type(error).__name__})" if _never_connected(error) else type(error).__name__


def _seconds(header: str | None) -> int | None:
    """Read `Retry-After`, of which only the form in seconds is used."""
    return int(header) if header is not None and _SECONDS.fullmatch(header) else None
