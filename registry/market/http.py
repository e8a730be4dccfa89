"""HTTP to price venues: bounded in time and size, every failure a `VenueError`."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from time import monotonic

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from registry.bounded_http import bounded_session, ends_at, is_over
from registry.fault_points import reached
from registry.market.answer import Answer
from registry.market.venue import VenueError
from registry.outside.breaker import USUAL, Breaker, Pauses

USER_AGENT = "policy-registry/0.1"
_CHUNK = 64 * 1024
_TOO_MANY = 429
_CLIENT_ERRORS = range(400, 500)
_SECONDS = re.compile(r"[0-9]{1,6}")


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how much one answer may take."""

    connect_seconds: float = 2.0
    read_seconds: float = 3.0
    total_seconds: float = 6.0
    body_bytes: int = 1024 * 1024


DEFAULT_BOUNDS = Bounds()


class Http:
    """One connection pool for all venues; safe to share between threads, made anew in each process.

    A venue that fails again and again, or asks for a pause, is left alone for a while.
    """

    def __init__(
        self,
        *,
        bounds: Bounds = DEFAULT_BOUNDS,
        pauses: Pauses = USUAL,
        clock: Callable[[], datetime] = utc_now,
        counter: Callable[[], float] = monotonic,
    ) -> None:
        """`clock` stamps each answer with the time at which it was complete; `counter` counts a pause's seconds."""
        self.bounds = bounds
        self._clock = clock
        self._breakers: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(pauses, clock=counter))
        self._session = bounded_session()
        # uncompressed, so that the bound on a body is one on memory
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        # a cookie would be state shared by threads
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # a proxy named in the environment cannot reach this machine's loopback
        self._session.proxies.update({"http://127.0.0.1": "", "http://localhost": ""})

    def get(
        self,
        venue: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The JSON of a 200 answer, or a `VenueError` that holds no address and no header."""
        if is_over():
            raise VenueError(venue=venue, reason="there was no time left to ask it")
        breaker = self._breakers[venue]
        shut = breaker.refuses()
        if shut is not None:
            raise VenueError(venue=venue, reason=f"it is left alone for {shut.seconds:.0f} s more: {shut.because}")
        reached("call.before")
        try:
            value = _decode(venue, self._ask(venue, url, params=params, headers=headers))
        except VenueError as error:
            _judge(breaker, error)
            raise
        breaker.succeeded()
        reached("call.after")
        return Answer(venue=venue, value=value, fetched_at=self._clock())

    def _ask(
        self, venue: str, url: str, *, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> bytes:
        ends = monotonic() + self.bounds.total_seconds
        try:
            with ends_at(ends):
                return self._body(venue, url, params=params, headers=headers)
        except (requests.RequestException, HTTPError) as error:
            raise VenueError(venue=venue, reason=self._reason(error, overdue=monotonic() >= ends)) from error

    def _reason(self, error: Exception, *, overdue: bool) -> str:
        if overdue:
            return f"its answer took over {self.bounds.total_seconds} s"
        if isinstance(error, requests.Timeout | ReadTimeoutError):
            return "it timed out"
        return f"the connection failed ({type(error).__name__})"

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _body(
        self,
        venue: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> bytes:
        with self._session.get(
            url,
            params=params,
            headers=headers,
            timeout=(self.bounds.connect_seconds, self.bounds.read_seconds),
            stream=True,
            allow_redirects=False,
        ) as response:
            if response.status_code != requests.codes.ok:
                raise _refusal(venue, response)
            return self._read(venue, response.raw)

    def _read(self, venue: str, raw: BaseHTTPResponse) -> bytes:
        """Read what arrives as it arrives."""
        body = bytearray()
        while chunk := raw.read1(_CHUNK):
            body += chunk
            if len(body) > self.bounds.body_bytes:
                raise VenueError(venue=venue, reason=f"its answer is over {self.bounds.body_bytes} bytes")
        return bytes(body)


def _refusal(venue: str, response: requests.Response) -> VenueError:
    """What any other status is told as; `retry_after` in seconds, where the venue names a time."""
    status, wait = response.status_code, response.headers.get("Retry-After", "")
    named = int(wait) if _SECONDS.fullmatch(wait) else None
    later = "" if named is None else f", retry after {named} s"
    return VenueError(venue=venue, reason=f"HTTP {status}{later}", status=status, retry_after=named)


def _judge(breaker: Breaker, error: VenueError) -> None:
    """A refusal that is an answer is none of its failures."""
    status, wait = error.figures.get("status"), error.figures.get("retry_after")
    if status in _CLIENT_ERRORS and status != _TOO_MANY:
        breaker.succeeded()
    else:
        breaker.failed(str(error.figures["reason"]), wait=wait if isinstance(wait, int) else None)


def _decode(venue: str, body: bytes) -> object:
    try:
        return json.loads(body, parse_float=Decimal, parse_int=int, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise VenueError(venue=venue, reason=f"its answer is not JSON ({type(error).__name__})") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
