"""Signing in over HTTP as a wallet does: a challenge, a signature, a session."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import requests

from registry.domain.challenge import Site
from registry.domain.keyring import KeyRing
from registry.domain.units import Principal
from registry.settings import TESTNET_CHAIN_ID
from registry.stacks import messages
from registry.stacks.clarity import Tuple, from_hex
from registry.stacks.network import TESTNET, Network
from registry.stacks.signing import PrivateKey
from tests.integration.doors import ask
from workers.embedded.account import private_file
from workers.front_secret import Purpose, read_front_secret

Kind = Literal["message", "structured"]
OFTEN: dict[str, Any] = {
    "api_anonymous_per_minute": 1_000_000,
    "api_requests_per_minute": 1_000_000,
    "api_actions_per_minute": 1_000_000,
    "api_sign_in_per_minute": 1_000_000,
}
"""Settings under which tests may ask as often as they like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who signed in, with the token that he bears."""

    principal: Principal
    session_id: str
    token: str = field(repr=False)


def new_front_secret(place: Path) -> Path:
    """Make a file of a front door's secret, to be named as `front_secret_file`."""
    return private_file(place, f"{secrets.token_hex(32)}\n")


def keys_of(secret_file: Path, purpose: Purpose) -> KeyRing:
    """The keys that a front door makes of its secret."""
    secret = read_front_secret(secret_file)
    assert secret is not None
    return secret.keys(purpose)


def site_of(url: str) -> Site:
    """The site that a front door at this address is."""
    return Site(url=url, domain=url.partition("://")[2], network="testnet", chain_id=TESTNET_CHAIN_ID)


def sign_in(url: str, key: PrivateKey, *, kind: Kind = "message", network: Network = TESTNET) -> SignedIn:
    """Sign in with a key at a front door."""
    answer = begin(url, answered(challenged(url, key.address(network)), key, kind=kind))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    return SignedIn(
        principal=Principal(told["session"]["principal"]), session_id=told["session"]["id"], token=told["token"]
    )


def challenged(url: str, address: str) -> dict[str, Any]:
    """Ask for a challenge."""
    answer = ask(url, "POST", "/v1/challenges", json={"address": address})
    assert answer.status_code == 200, answer.text
    challenge: dict[str, Any] = answer.json()
    return challenge


def answered(challenge: dict[str, Any], key: PrivateKey, *, kind: Kind = "message") -> dict[str, str]:
    """What `POST /v1/sessions` takes: a challenge, signed as a wallet would."""
    if kind == "message":
        signature = messages.sign(challenge["message"], key)
    else:
        domain = from_hex(challenge["structured"]["domain_hex"])
        assert isinstance(domain, Tuple)
        signature = messages.sign_structured(domain, from_hex(challenge["structured"]["message_hex"]), key)
    return {
        "address": challenge["address"],
        "nonce": challenge["nonce"],
        "signature": signature.hex(),
        "kind": kind,
    }


def begin(url: str, answer: Mapping[str, object]) -> requests.Response:
    """Answer a challenge."""
    return ask(url, "POST", "/v1/sessions", json=answer)
