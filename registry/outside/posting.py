"""Posting to a place that others named: to the address that was checked, bounded as a whole, and never redirected."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import HTTPError

from registry.bounded_http import bounded_session, connects_to, ends_at
from registry.fault_points import reached
from registry.outside.addresses import Reach, Resolver, UnsafeAddressError, read, resolve, system_resolver

USER_AGENT = "policy-registry-webhooks/1"
RESOLVE_SHARE = 0.5
"""The part of the time of a call that its name may take to be resolved."""
_SUCCESSES = range(200, 300)
_REDIRECTS = range(300, 400)
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of a post: a status, or none and why; `wait` is the pause that the other side asked for."""

    status: int | None
    reason: str | None = None
    wait: timedelta | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the other side says that it has it."""
        return self.status in _SUCCESSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """How posts are made; safe to share between threads."""

    seconds: float
    reach: Reach = Reach.PUBLIC
    resolver: Resolver = system_resolver

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answered:
        """Post once and tell what became of it; nothing is raised, and of an answer nothing but its head is read."""
        ends = time.monotonic() + self.seconds
        try:
            place = read(url, reach=self.reach)
            address = resolve(place, reach=self.reach, resolver=self.resolver, seconds=self.seconds * RESOLVE_SHARE)
            reached("call.before")
            with ends_at(ends), connects_to(str(address), place.port):
                answered = self._send(url, body, headers)
        except UnsafeAddressError as error:
            return Answered(status=None, reason=str(error))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Answered(status=None, reason=self._reason(error, overdue=time.monotonic() >= ends))
        reached("call.after")
        return answered

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        # a session of its own: no connection, cookie, proxy or password of this machine's goes with it
        with bounded_session() as session:
            session.trust_env = False
            with session.post(
                url,
                data=body,
                headers={"user-agent": USER_AGENT, "accept-encoding": "identity", **headers},
                timeout=self.seconds,
                stream=True,
                allow_redirects=False,
            ) as response:
                return _told(response)

    def _reason(self, error: Exception, *, overdue: bool) -> str:
        if overdue or isinstance(error, requests.Timeout):
            return f"no answer within {self.seconds:g} s"
        if isinstance(error, requests.exceptions.SSLError):
            return "its certificate, or its TLS, is not usable"
        return f"the connection failed ({type(error).__name__})"


def _told(response: requests.Response) -> Answered:
    status = response.status_code
    if status in _SUCCESSES:
        return Answered(status=status)
    more = ": redirects are not followed" if status in _REDIRECTS else ""
    return Answered(status=status, reason=f"HTTP {status}{more}", wait=_wait(response.headers.get("Retry-After", "")))


def _wait(named: str) -> timedelta | None:
    """The pause of `Retry-After`, in seconds or until a date; None where it is neither, or over."""
    if _SECONDS.fullmatch(named):
        return timedelta(seconds=int(named))
    try:
        until = parsedate_to_datetime(named)
    # years and zones of many digits fail in a way of their own
    except (ValueError, OverflowError):
        return None
    left = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    return left if left > timedelta() else None
