"""How often one may ask: counted for all processes together in Valkey, and in this one alone while that is away."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from registry.outside.breaker import Breaker, Pauses
from registry.settings import Settings

PREFIX = "registry-limits"
MOST_CALLS = 16
ANSWER_SECONDS = 0.1
"""The most that counting may add to a request; what takes longer is counted here."""
PAUSES = Pauses(failures=3, first_seconds=2.0, longest_seconds=30.0)
IPV6_HOME = 64
"""A network's customer has at least so many bits of IPv6 to himself."""
_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests in any minute, of one kind."""

    name: str
    per_minute: int

    @property
    def item(self) -> RateLimitItem:
        """As `limits` has it."""
        return RateLimitItemPerMinute(self.per_minute, namespace=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one has left of a rate, and the seconds until it is more."""

    rate: Rate
    was_let_in: bool
    left: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of a front door. `anonymous`, `sign_in` and `unknown` are those of an address of the network."""

    anonymous: Rate
    requests: Rate
    actions: Rate
    sign_in: Rate
    unknown: Rate

    @classmethod
    def of(cls, settings: Settings) -> "Rates":
        """Read them from the settings."""
        return cls(
            anonymous=Rate(name="anonymous", per_minute=settings.api_anonymous_per_minute),
            requests=Rate(name="requests", per_minute=settings.api_requests_per_minute),
            actions=Rate(name="actions", per_minute=settings.api_actions_per_minute),
            sign_in=Rate(name="sign-in", per_minute=settings.api_sign_in_per_minute),
            unknown=Rate(name="unknown", per_minute=settings.api_anonymous_per_minute),
        )


class Limits:
    """Counts, within a running event loop. Nobody waits for a Valkey that is away, and nobody is refused for it."""

    def __init__(self, url: str, *, breaker: Breaker | None = None) -> None:
        """Connect to nothing yet. `url` is of a Valkey or Redis."""
        self._breaker = breaker or Breaker(PAUSES)
        self._turns = asyncio.Semaphore(MOST_CALLS)
        self._storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            key_prefix=PREFIX,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
        self._shared = SlidingWindowCounterRateLimiter(self._storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._is_alone = False

    async def take(self, rate: Rate, who: str) -> Standing:
        """Count one request of somebody's, unless he has none left."""
        if self._breaker.refuses() is None:
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._turns:
                    standing = await _take(self._shared, rate, who)
            except (TimeoutError, OSError, RedisError) as error:
                self._failed(type(error).__name__)
            else:
                self._succeeded()
                return standing
        return await _take(self._own, rate, who)

    async def take_here(self, rate: Rate, who: str) -> None:
        """Count in this process alone: what is looked at before every request costs no call."""
        await self._own.hit(rate.item, who)

    async def has_some_here(self, rate: Rate, who: str) -> bool:
        """Whether something is left of what this process counts alone."""
        return await self._own.test(rate.item, who)

    async def close(self) -> None:
        """End its connections."""
        connections: Redis = cast("RedispyBridge", self._storage.bridge).storage
        await connections.aclose()

    def _failed(self, reason: str) -> None:
        self._breaker.failed(reason)
        if self._breaker.is_open and not self._is_alone:
            self._is_alone = True
            _LOG.warning("limits.alone", reason=reason)

    def _succeeded(self) -> None:
        self._breaker.succeeded()
        if self._is_alone:
            self._is_alone = False
            _LOG.info("limits.shared")


async def _take(limiter: SlidingWindowCounterRateLimiter, rate: Rate, who: str) -> Standing:
    was_let_in = await limiter.hit(rate.item, who)
    resets, left = await limiter.get_window_stats(rate.item, who)
    return Standing(rate=rate, was_let_in=was_let_in, left=left, seconds=max(1, math.ceil(resets - time.time())))


def headers(standings: list[Standing]) -> Mapping[str, str]:
    """Tell where somebody stands, as draft-ietf-httpapi-ratelimit-headers-10 has it."""
    return {
        "RateLimit-Policy": ", ".join(f'"{each.rate.name}";q={each.rate.per_minute};w=60' for each in standings),
        "RateLimit": ", ".join(f'"{each.rate.name}";r={each.left};t={each.seconds}' for each in standings),
    }


def home_of(host: str) -> str:
    """The address that one is counted by: that of IPv4 itself, of IPv6 the network that one customer has."""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, IPV6_HOME), strict=False))
