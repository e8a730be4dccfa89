"""Where others may have us send to: `https` at public addresses, by the address that was checked and no other.

Whoever names an address of his choosing could name one within our own network, directly or by a name that leads there,
today or only when it is asked for the second time. So a URL is read strictly, its name is resolved once for each call,
every address of it must be public, and the connection is made to one of those.
"""

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Answers every address of a name; raises OSError where there is none."""

LONGEST = 500
PUBLIC_PORTS = frozenset({443, 8443})
_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z0-9-]*[a-z])(?!0x){_LABEL}\.?", re.IGNORECASE)
"""A name whose last label is no number: left out is how addresses are written to be taken for something else."""

_NOWHERE = "it leads to no public address"
"""Whether a name of our own network exists is nobody's to find out."""

# ways to an address of IPv4 that a gateway unpacks (NAT64, 6to4, Teredo, and compatible ones), and what is nobody's
_DETOURS_V6 = tuple(
    IPv6Network(each)
    for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10", "3fff::/20")
)
_DETOURS_V4 = tuple(IPv4Network(each) for each in ("192.88.99.0/24", "192.0.0.0/24"))


class Reach(Enum):
    """Where it may go: to the public, or, for development, to any address and without TLS too."""

    PUBLIC = "public"
    ANY = "any"


class UnsafeAddressError(Exception):
    """Why nothing is sent to a URL; the reason shows neither its path nor what its name led to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A URL that may be used as it is written."""

    url: str
    host: str
    port: int


def read(url: str, *, reach: Reach) -> Place:
    """Read a URL strictly; what its name leads to is another question."""
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise UnsafeAddressError(f"it is not 1 to {LONGEST} printable ASCII characters without space or backslash")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UnsafeAddressError("it is no URL") from None
    schemes = ("https",) if reach is Reach.PUBLIC else ("https", "http")
    if parts.scheme not in schemes:
        raise UnsafeAddressError(f"it does not begin with {' or '.join(f'{each}://' for each in schemes)}")
    if "@" in parts.netloc:
        raise UnsafeAddressError("it holds a user name or a password")
    if parts.fragment or url.endswith("#"):
        raise UnsafeAddressError("it has a fragment")
    if not host or not _is_host(host):
        raise UnsafeAddressError("its host is neither a name nor an address as it is usually written")
    at = _PORTS[parts.scheme] if port is None else port
    if reach is Reach.PUBLIC and at not in PUBLIC_PORTS:
        raise UnsafeAddressError(f"its port is none of {', '.join(str(each) for each in sorted(PUBLIC_PORTS))}")
    if reach is Reach.PUBLIC and _as_address(host) is not None:
        require_public(ip_address(host))
    return Place(url=url, host=host, port=at)


def resolve(place: Place, *, reach: Reach, resolver: Resolver, seconds: float) -> IpAddress:
    """The address to connect to: the first of a name's, every one of which may be reached.

    Raises:
        UnsafeAddressError: the name leads nowhere, or also to where nothing may be sent.
    """
    literal = _as_address(place.host)
    found = [literal] if literal is not None else _asked(place, resolver=resolver, seconds=seconds)
    if reach is Reach.PUBLIC:
        for address in found:
            require_public(address)
    return found[0]


def require_public(address: IpAddress) -> None:
    """Refuse an address that is not everybody's, or that leads on to another one."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    detours = _DETOURS_V6 if isinstance(address, IPv6Address) else _DETOURS_V4
    is_detour = any(address in network for network in detours)
    if is_detour or not address.is_global or address.is_multicast or address.is_reserved:
        raise UnsafeAddressError(_NOWHERE)


def system_resolver(host: str, port: int) -> list[str]:
    """Ask as every program of this machine does."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _is_host(host: str) -> bool:
    return _as_address(host) is not None or (len(host) <= 253 and _NAME.fullmatch(host) is not None)  # noqa: PLR2004 - a name's longest, of RFC 1035


def _as_address(host: str) -> IpAddress | None:
    """An address that is written in full; one with a zone is none."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def _asked(place: Place, *, resolver: Resolver, seconds: float) -> list[IpAddress]:
    """Ask for a name's addresses, in a thread that is left alone if that takes too long: nothing else can end it."""
    answers: list[Sequence[str]] = []

    def ask() -> None:
        try:
            answers.append(resolver(place.host, place.port))
        except (OSError, UnicodeError):
            answers.append(())

    asking = threading.Thread(target=ask, daemon=True, name="resolve")
    asking.start()
    asking.join(seconds)
    if not answers:
        raise UnsafeAddressError(f"its name was not resolved within {seconds:g} s")
    found = [ip_address(each.partition("%")[0]) for each in answers[0]]
    if not found:
        raise UnsafeAddressError(_NOWHERE)
    return found
