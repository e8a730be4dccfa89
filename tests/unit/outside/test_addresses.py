"""Where nothing is ever sent: whatever is not public, however it is written and whatever its name leads to."""

import threading
from ipaddress import ip_address

import pytest

from registry.outside.addresses import (
    LONGEST,
    Reach,
    UnsafeAddressError,
    read,
    require_public,
    resolve,
)

SECONDS = 5.0
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8")
PRIVATE = (
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - to be refused
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
NO_HOSTS = (
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "00000177.0.0.1",
    "127.0.0.1.",
    "1.2.3.4.5",
    "name.0x7f",
    "name.127",
    "[fe80::1%25eth0]",
    "[::1",
    "-name.example",
    "name..example",
    "na_me.example",
    ".",
    "",
)
NO_URLS = (
    "",
    "name.example",
    "//name.example/",
    "http://name.example/",
    "ftp://name.example/",
    "file:///etc/passwd",
    "gopher://name.example/",
    "https://user:password@name.example/",
    "https://@name.example/",
    "https://user@name.example/",
    "https://name.example#fragment",
    "https://name.example/#",
    "https://name.example/ path",
    "https://name.example/\npath",
    "https://name.example\\@other.example/",
    "https://name.example/\x00",
    "https://ｎame.example/",
    "https://name.example:0/",
    "https://name.example:22/",
    "https://name.example:80/",
    "https://name.example:5432/",
    "https://name.example:99999/",
    "https://name.example:-1/",
    "https://name.example/" + LONGEST * "a",
)


def led(*addresses: str) -> str:
    """What a name that leads to these addresses is resolved to."""
    place = read("https://hooks.example.com/", reach=Reach.PUBLIC)
    found = resolve(place, reach=Reach.PUBLIC, resolver=lambda _host, _port: addresses, seconds=SECONDS)
    return str(found)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_sent_to(address: str) -> None:
    assert led(address) == str(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    read(f"https://{host}:8443/hook?of=policies", reach=Reach.PUBLIC)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused_as_it_stands_and_behind_a_name(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(UnsafeAddressError, match="no public address"):
        read(f"https://{host}/", reach=Reach.PUBLIC)
    for addresses in ((address,), ("8.8.8.8", address), (address, "8.8.8.8")):
        with pytest.raises(UnsafeAddressError, match="no public address"):
            led(*addresses)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_an_address_in_disguise_is_no_host(host: str) -> None:
    for reach in Reach:
        with pytest.raises(UnsafeAddressError):
            read(f"https://{host}/", reach=reach)


@pytest.mark.parametrize("url", NO_URLS)
def test_a_url_that_two_readers_could_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(UnsafeAddressError):
        read(url, reach=Reach.PUBLIC)


def test_for_development_any_address_and_port_will_do_and_no_other_scheme() -> None:
    place = read("http://127.0.0.1:8080/hook", reach=Reach.ANY)
    assert (place.host, place.port) == ("127.0.0.1", 8080)
    assert read("http://localhost/", reach=Reach.ANY).port == 80
    for url in ("ftp://localhost/", "http://user@localhost/"):
        with pytest.raises(UnsafeAddressError):
            read(url, reach=Reach.ANY)


def test_a_name_that_leads_nowhere_or_takes_too_long_is_refused() -> None:
    def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError

    never = threading.Event()

    def slow(_host: str, _port: int) -> list[str]:
        never.wait(SECONDS)
        return ["8.8.8.8"]

    place = read("https://hooks.example.com/", reach=Reach.PUBLIC)
    with pytest.raises(UnsafeAddressError, match="leads to no public address"):
        resolve(place, reach=Reach.PUBLIC, resolver=nowhere, seconds=SECONDS)
    with pytest.raises(UnsafeAddressError, match="within"):
        resolve(place, reach=Reach.PUBLIC, resolver=slow, seconds=0.1)
    never.set()


def test_a_reason_shows_nothing_of_a_path_or_of_what_a_name_leads_to() -> None:
    with pytest.raises(UnsafeAddressError) as refused:
        led("10.11.12.13")
    assert "10.11" not in str(refused.value)
    require_public(resolve(read("https://8.8.8.8/", reach=Reach.PUBLIC), reach=Reach.PUBLIC, resolver=_no, seconds=1))


def _no(_host: str, _port: int) -> list[str]:
    raise AssertionError("an address is not resolved")
