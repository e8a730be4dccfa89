"""The bucket that all processes take from: it is in the broker's Valkey, and in each process while that is away."""

import time
from collections.abc import Callable
from hashlib import sha256

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from registry.outside.bucket import Bucket, Cost, LocalBucket, Rate

PATIENCE_SECONDS = 0.25
"""A call waits no longer for leave to be made."""

AWAY_SECONDS = 5.0
"""For so long a server that did not answer is not asked again."""

_LOG = structlog.get_logger()

_TAKE = """
local at_once, per_second, cost, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(held[1] or at_once), tonumber(held[2] or now)
tokens = math.min(at_once, tokens + math.max(0, now - at) * per_second)
local missing = cost + kept - tokens
if missing <= 0 then tokens = tokens - cost end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 600)
return string.format('%.6f', math.max(0, missing) / per_second)
"""
"""By the server's clock, in one step: no two callers take the same token."""


class SharedBucket:
    """One for each API, named by its address. What is lost with the server is how much was taken, no more."""

    def __init__(self, url: str, *, api: str, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the server's `redis://` URL; nothing is connected yet. `clock` counts seconds."""
        self._key = f"registry:bucket:{sha256(api.encode()).hexdigest()[:16]}"
        self._rate = rate
        self._clock = clock
        self._own = LocalBucket(rate, clock=clock)
        self._away_until = 0.0
        self._server = Redis.from_url(
            url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._take = self._server.register_script(_TAKE)

    def take(self, cost: Cost, /) -> float:
        """As the protocol says; by this process's own bucket of the same rate while the server does not answer."""
        if self._clock() < self._away_until:
            return self._own.take(cost)
        try:
            return self._ask(cost)
        except RedisError as error:
            self._away_until = self._clock() + AWAY_SECONDS
            _LOG.warning("bucket.server_away", reason=type(error).__name__, seconds=AWAY_SECONDS)
            return self._own.take(cost)

    def close(self) -> None:
        """Give the sockets back."""
        self._server.close()

    def _ask(self, cost: Cost) -> float:
        given = [self._rate.at_once, self._rate.per_second, cost.value, cost.kept]
        return float(self._take(keys=[self._key], args=given))


def bucket_at(broker_url: str, *, api: str, rate: Rate) -> Bucket:
    """The bucket at a broker; one of this process where the broker is none that keeps buckets."""
    try:
        return SharedBucket(broker_url, api=api, rate=rate)
    except ValueError:
        return LocalBucket(rate)
