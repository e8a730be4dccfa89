"""Which servers this runs on: PostgreSQL from 14, Redis from 7, Valkey; an older one is refused with a sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import psycopg2
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis import RedisError

from registry.domain.errors import Refusal, Unavailable

ANSWER_SECONDS = 5


class Product(StrEnum):
    """A server's own name."""

    POSTGRESQL = "PostgreSQL"
    REDIS = "Redis"
    VALKEY = "Valkey"


OLDEST: dict[Product, tuple[int, int]] = {
    Product.POSTGRESQL: (14, 0),
    Product.REDIS: (7, 0),
    Product.VALKEY: (7, 2),  # its first
}

# One attempt, bounded: whoever asks for a version wants to hear at once that there is none.
_ONCE = {
    "socket_connect_timeout": ANSWER_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
_NUMBER = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")


class ServerTooOld(Refusal):
    """A server lacks what our statements or Celery's transport use."""

    code = "server_too_old"
    sentence = "the {product} at {address} is version {version}, {oldest} or newer is needed"
    remedy = "upgrade it, or name a newer server in {setting}"


class ServerUnreachable(Unavailable):
    """A server gave no version: it does not answer, does not let us in, or is something else."""

    code = "server_unreachable"
    sentence = "the server of {setting} at {address} gave no version: {reason}"
    remedy = "see that it runs and that {setting} names it, its user and its password"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """What a server is; `address` is host and port, without a credential, `setting` what named it."""

    product: Product
    number: tuple[int, int]
    address: str
    setting: str

    def __str__(self) -> str:
        """Product and number, as people say it."""
        return f"{self.product} {_dotted(self.number)}"


def require_supported(version: ServerVersion) -> None:
    """Raise ServerTooOld for a version below what the product needs; newer ones are welcome."""
    oldest = OLDEST[version.product]
    if version.number < oldest:
        raise ServerTooOld(
            product=version.product.value,
            address=version.address,
            version=_dotted(version.number),
            oldest=_dotted(oldest),
            setting=version.setting,
        )


def postgres_version(database_url: str) -> ServerVersion:
    """Ask a PostgreSQL by URL, as settings name it; ServerUnreachable where it does not answer."""
    setting = "REGISTRY_DATABASE_URL"
    _require_one_host(database_url, setting=setting)
    plain = database_url.replace("postgresql+psycopg2://", "postgresql://", 1)
    try:
        connection = psycopg2.connect(plain, connect_timeout=ANSWER_SECONDS)
    except psycopg2.OperationalError as error:
        raise _unreachable(database_url, setting=setting, reason=_first_line(error)) from None
    except psycopg2.Error:
        # Its words would repeat the URL, password included.
        raise _unreachable(database_url, setting=setting, reason="it is no URL of a PostgreSQL") from None
    number: int = connection.info.server_version
    connection.close()
    return ServerVersion(
        product=Product.POSTGRESQL,
        number=(number // 10_000, number % 10_000),
        address=_address(database_url),
        setting=setting,
    )


def broker_version(url: str, *, setting: str = "REGISTRY_BROKER_URL") -> ServerVersion:
    """Ask a Redis or Valkey by URL, as Celery reads it; ServerUnreachable where it does not answer."""
    _require_one_host(url, setting=setting)
    try:
        with Connection(url, transport_options=_ONCE) as connection:  # type: ignore[no-untyped-call] # kombu ships few types
            if connection.transport.driver_type != "redis":
                raise _no_broker(url, setting=setting)
            told = connection.default_channel.client.info("server")
    except (KeyError, ValueError):
        raise _no_broker(url, setting=setting) from None
    except (RedisError, OSError, OperationalError) as error:
        raise _unreachable(url, setting=setting, reason=_first_line(error)) from None
    return broker_version_of(told, address=_address(url), setting=setting)


def broker_version_of(told: Mapping[str, object], *, address: str, setting: str) -> ServerVersion:
    """Read the server section of `INFO`: a Valkey names itself there, and beside it the Redis that it stands in for."""
    product = Product.VALKEY if "valkey_version" in told else Product.REDIS
    text = str(told.get(f"{product.value.lower()}_version", ""))
    match = _NUMBER.match(text)
    if match is None:
        raise ServerUnreachable(address=address, setting=setting, reason=f"it says that its version is {text!r}")
    return ServerVersion(product=product, number=(int(match[1]), int(match[2])), address=address, setting=setting)


def _dotted(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"


def _address(url: str) -> str:
    """Host and port alone: the rest may hold a credential."""
    return urlsplit(url).netloc.rpartition("@")[2] or "no host"


def _require_one_host(url: str, *, setting: str) -> None:
    """Refuse a URL whose password ends where it should not: half of it would be taken for a host, and shown."""
    if url.count("@") > 1 or ("@" in url and "@" not in urlsplit(url).netloc):
        reason = "its password holds a sign that stands for something else in a URL: write @ as %40, / as %2F"
        raise ServerUnreachable(address="no host", setting=setting, reason=reason)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def _no_broker(url: str, *, setting: str) -> ServerUnreachable:
    return _unreachable(url, setting=setting, reason="it is no URL of a Redis or Valkey")


def _unreachable(url: str, *, setting: str, reason: str) -> ServerUnreachable:
    return ServerUnreachable(address=_address(url), setting=setting, reason=reason)
