"""A challenge is good for one address, on one site, for one network, for five minutes, and in one spelling."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain import challenge
from registry.domain.access import ChallengeExpired, ChallengeForged
from registry.domain.challenge import LIFE, SKEW, Site
from registry.domain.keyring import KeyRing, key_name
from registry.domain.units import Principal

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
SITE = Site(url="https://a.example", domain="a.example", network="testnet", chain_id=2**31)
OWNER = Principal("ST1SJ3DTE5DN7X54YDH5D64R3BCB6A2AG2ZQ8YPD5")
OTHER = Principal("ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB")
OLD, NEW = b"o" * 32, b"n" * 32
KEYS = KeyRing.derived([OLD], purpose="challenge")


def taken(
    nonce: str, *, site: Site = SITE, address: Principal = OWNER, keys: KeyRing = KEYS, now: datetime = NOW
) -> str:
    return challenge.given(site, address, nonce, keys=keys, now=now).text


def test_what_was_given_is_made_again_to_the_letter_out_of_its_nonce() -> None:
    made = challenge.give(SITE, OWNER, keys=KEYS, now=NOW)
    assert taken(made.nonce) == made.text
    assert made.text.splitlines() == [
        "a.example wants you to sign in with your Stacks account:",
        OWNER,
        "",
        challenge.STATEMENT,
        "",
        "URI: https://a.example",
        "Version: 1",
        "Network: testnet",
        "Chain ID: 2147483648",
        f"Nonce: {made.nonce}",
        "Issued At: 2026-01-02T03:04:05Z",
        "Expiration Time: 2026-01-02T03:09:05Z",
    ]


def test_no_two_are_the_same() -> None:
    assert (
        challenge.give(SITE, OWNER, keys=KEYS, now=NOW).nonce != challenge.give(SITE, OWNER, keys=KEYS, now=NOW).nonce
    )


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(SITE, domain="b.example"),
        replace(SITE, url="http://a.example"),
        replace(SITE, network="mainnet"),
        replace(SITE, chain_id=1),
        # parts that are moved across a border are not the same parts
        replace(SITE, domain="a.exampleh", url="ttps://a.example"),
    ],
)
def test_one_of_another_site_or_network_is_forged_here(elsewhere: Site) -> None:
    made = challenge.give(elsewhere, OWNER, keys=KEYS, now=NOW)
    assert taken(made.nonce, site=elsewhere)
    with pytest.raises(ChallengeForged):
        taken(made.nonce)


def test_one_of_another_address_or_under_another_key_is_forged() -> None:
    nonce = challenge.give(SITE, OWNER, keys=KEYS, now=NOW).nonce
    with pytest.raises(ChallengeForged):
        taken(nonce, address=OTHER)
    with pytest.raises(ChallengeForged):
        taken(nonce, keys=KeyRing.derived([OLD], purpose="session"))
    with pytest.raises(ChallengeForged):
        taken(nonce, keys=KeyRing.derived([NEW], purpose="challenge"))


def test_each_digit_of_a_nonce_counts() -> None:
    nonce = challenge.give(SITE, OWNER, keys=KEYS, now=NOW).nonce
    for place, digit in enumerate(nonce):
        other = "0" if digit != "0" else "1"
        with pytest.raises(ChallengeForged):
            taken(nonce[:place] + other + nonce[place + 1 :])


def test_a_nonce_has_one_spelling_or_it_could_be_used_twice() -> None:
    nonce = challenge.give(SITE, OWNER, keys=KEYS, now=NOW).nonce
    for other in (nonce.upper(), f" {nonce}", f"{nonce[:2]} {nonce[2:]}", f"{nonce}00", nonce[:-2], "", "0x" + nonce):
        with pytest.raises(ChallengeForged):
            taken(other)


@given(st.text(max_size=100))
def test_whatever_is_brought_is_no_challenge_and_breaks_nothing(text: str) -> None:
    with pytest.raises(ChallengeForged):
        taken(text)


def test_it_is_good_for_five_minutes_and_not_before_it_was_given() -> None:
    made = challenge.give(SITE, OWNER, keys=KEYS, now=NOW)
    began = NOW.replace(microsecond=0)
    assert made.expires_at == began + LIFE == began + timedelta(minutes=5)
    for good in (began - SKEW, began, began + LIFE - timedelta(microseconds=1)):
        assert taken(made.nonce, now=good)
    for bad in (began - SKEW - timedelta(seconds=1), began + LIFE, began + timedelta(days=1)):
        with pytest.raises(ChallengeExpired):
            taken(made.nonce, now=bad)


def test_while_a_secret_is_exchanged_the_newest_signs_and_both_are_taken() -> None:
    both = KeyRing.derived([NEW, OLD], purpose="challenge")
    before, after = (challenge.give(SITE, OWNER, keys=keys, now=NOW).nonce for keys in (KEYS, both))
    assert taken(before, keys=both)
    assert taken(after, keys=both)
    with pytest.raises(ChallengeForged):
        taken(after)


def test_keys_of_two_purposes_differ_and_neither_is_shown() -> None:
    own, other = (KeyRing.derived([OLD], purpose=purpose) for purpose in ("challenge", "session"))
    assert len({own.newest, other.newest, OLD}) == 3
    assert "keys" not in repr(own)
    assert own.named(key_name(own.newest)) == own.newest
    assert own.named(key_name(other.newest)) is None
    assert own.named(None) is None
