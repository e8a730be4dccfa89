"""Ready checks: how to see from outside that a process serves, as data."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg2
import redis
import requests

ANSWER_SECONDS = 2.0


class ReadyCheck(Protocol):
    """Asked again and again while a process starts."""

    def __call__(self, log: Path, /) -> bool:
        """Whether it serves now; `log` is what the process has printed so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAnswers:
    """A PostgreSQL server lets its user in: listening is not enough, it may still be recovering."""

    url: str = field(repr=False)

    def __call__(self, _log: Path, /) -> bool:
        """Connect once."""
        try:
            psycopg2.connect(self.url, connect_timeout=int(ANSWER_SECONDS)).close()
        except psycopg2.OperationalError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyAnswers:
    """A Valkey server lets its user in and has loaded its data."""

    url: str = field(repr=False)

    def __call__(self, _log: Path, /) -> bool:
        """Ping once."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=ANSWER_SECONDS) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswers:
    """A GET of this URL answers well."""

    url: str

    def __call__(self, _log: Path, /) -> bool:
        """Ask once."""
        try:
            with requests.Session() as session:
                # What is on loopback is not asked for through the proxy of our environment.
                session.trust_env = False
                return session.get(self.url, timeout=ANSWER_SECONDS).ok
        except requests.RequestException:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSays:
    """The process has printed something that matches a pattern."""

    pattern: str

    def __call__(self, log: Path, /) -> bool:
        """Search what was printed."""
        return re.search(self.pattern, log.read_text(errors="replace")) is not None
