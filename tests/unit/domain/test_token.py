"""A token is what our key signed, by our one algorithm, for this site and network, with every claim, for its time."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain import token
from registry.domain.access import TokenExpired, TokenInvalid
from registry.domain.challenge import SKEW, Site
from registry.domain.keyring import KeyRing, key_name
from registry.domain.token import CLAIMS, MOST_CHARACTERS, Claims
from registry.domain.units import Principal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SITE = Site(url="https://a.example", domain="a.example", network="testnet", chain_id=2**31)
OLD, NEW = b"o" * 32, b"n" * 32
KEYS = KeyRing.derived([OLD], purpose="session")
OWN = Claims(
    principal=Principal("ST1SJ3DTE5DN7X54YDH5D64R3BCB6A2AG2ZQ8YPD5"),
    session_id=UUID(int=7),
    generation=3,
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
TOLD: dict[str, Any] = {
    "iss": "a.example",
    "aud": "policy-registry:testnet",
    "sub": OWN.principal,
    "sid": str(OWN.session_id),
    "gen": 3,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
}


def read(written: str, *, site: Site = SITE, keys: KeyRing = KEYS, now: datetime = NOW) -> Claims:
    return token.read(written, site=site, keys=keys, now=now)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(told: dict[str, Any], *, key: bytes = KEYS.newest, digest: str = "sha256", **header: Any) -> str:
    """A token of these very claims: the library would refuse to write some of them."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': key_name(KEYS.newest), **header})}.{part(told)}"
    signature = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), digest)).decode().rstrip("=")
    return f"{signed}.{signature}"


def test_what_was_written_is_read_again() -> None:
    written = token.write(OWN, site=SITE, keys=KEYS)
    assert read(written) == OWN
    assert read(forged(TOLD)) == OWN, "the forger of these tests writes what would be taken"
    assert jwt.get_unverified_header(written) == {"alg": "HS256", "kid": key_name(KEYS.newest), "typ": "JWT"}


def test_it_is_over_at_its_end_and_not_good_before_its_beginning() -> None:
    written = token.write(OWN, site=SITE, keys=KEYS)
    for good in (NOW - SKEW, NOW, OWN.expires_at - timedelta(seconds=1)):
        assert read(written, now=good) == OWN
    for bad in (NOW - SKEW - timedelta(seconds=1), OWN.expires_at, NOW + timedelta(days=400)):
        with pytest.raises(TokenExpired):
            read(written, now=bad)


@pytest.mark.parametrize(
    "elsewhere",
    [replace(SITE, domain="b.example"), replace(SITE, network="mainnet")],
    ids=["domain", "network"],
)
def test_one_of_another_site_or_network_is_none_here(elsewhere: Site) -> None:
    with pytest.raises(TokenInvalid):
        read(token.write(OWN, site=elsewhere, keys=KEYS))


def test_a_token_without_an_algorithm_or_with_another_is_none() -> None:
    bare = f"{part({'alg': 'none', 'typ': 'JWT', 'kid': key_name(KEYS.newest)})}.{part(TOLD)}."
    others = [forged(TOLD, alg=alg, digest=digest) for alg, digest in (("HS384", "sha384"), ("HS512", "sha512"))]
    own = part(TOLD)
    signature = token.write(OWN, site=SITE, keys=KEYS).rpartition(".")[2]
    named = [
        f"{part({'alg': each, 'typ': 'JWT', 'kid': key_name(KEYS.newest)})}.{own}.{signature}"
        for each in ("RS256", "ES256", "PS256", "EdDSA", "None", "hs256", ["HS256"], None, 7)
    ]
    for each in (bare, *others, *named):
        with pytest.raises(TokenInvalid):
            read(each)


def test_a_key_is_named_and_must_be_ours() -> None:
    other = KeyRing.derived([NEW], purpose="session")
    for header in ({"kid": key_name(other.newest)}, {"kid": ""}, {"kid": None}, {"kid": "../secret"}):
        with pytest.raises(TokenInvalid):
            read(forged(TOLD, **header))
    with pytest.raises(TokenInvalid):
        read(jwt.encode(TOLD, KEYS.newest, algorithm="HS256"))
    with pytest.raises(TokenInvalid):
        read(forged(TOLD, key=other.newest))


@pytest.mark.parametrize("missing", CLAIMS)
def test_each_claim_is_needed(missing: str) -> None:
    with pytest.raises(TokenInvalid):
        read(forged({name: value for name, value in TOLD.items() if name != missing}))


@pytest.mark.parametrize(
    "change",
    [
        {"gen": "3"},
        {"gen": True},
        {"gen": 3.0},
        {"exp": "soon"},
        {"exp": float(TOLD["exp"])},
        {"exp": 10**30},
        {"iat": -(10**30)},
        {"sid": "seven"},
        {"sid": 7},
        {"sub": 7},
        {"aud": ["policy-registry:testnet"]},
        {"iss": ["a.example"]},
    ],
    ids=str,
)
def test_a_claim_of_another_kind_is_none_even_under_our_signature(change: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        read(forged({**TOLD, **change}))


def test_a_change_of_any_part_breaks_the_signature() -> None:
    head, body, signature = token.write(OWN, site=SITE, keys=KEYS).split(".")
    other = part({**TOLD, "sub": "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"})
    for each in (f"{head}.{other}.{signature}", f"{head}.{body}.{signature[:-2]}", f"{head}.{body}.", f"{head}.{body}"):
        with pytest.raises(TokenInvalid):
            read(each)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a.b.c",
        "é.é.é",
        "x" * (MOST_CHARACTERS + 1),
        f"{base64.urlsafe_b64encode(b'[' * 1500).decode()}.e30.",
        f"{part([])}.e30.",
        f"{part({'alg': 'HS256', 'kid': 'a', 'crit': ['b'], 'b': 1})}.e30.",
    ],
    ids=range(8),
)
def test_what_is_no_token_is_refused_whatever_it_is(text: str) -> None:
    with pytest.raises(TokenInvalid):
        read(text)


@given(st.text(max_size=200) | st.tuples(*[st.text(max_size=60)] * 3).map(".".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(TokenInvalid):
        read(text)


def test_while_a_secret_is_exchanged_the_newest_signs_and_both_are_taken() -> None:
    both = KeyRing.derived([NEW, OLD], purpose="session")
    assert read(token.write(OWN, site=SITE, keys=KEYS), keys=both) == OWN
    after = token.write(OWN, site=SITE, keys=both)
    assert read(after, keys=both) == OWN
    with pytest.raises(TokenInvalid):
        read(after)


def test_a_token_never_outlives_its_session() -> None:
    life = timedelta(minutes=15)
    assert token.end_of(NOW, life=life, session_end=NOW + timedelta(hours=1)) == NOW + life
    assert token.end_of(NOW, life=life, session_end=NOW + timedelta(minutes=1, microseconds=9)) == NOW + timedelta(
        minutes=1
    )
