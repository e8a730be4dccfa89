"""Signing in with a wallet over HTTP: whose signature opens a session, and what opens none."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select
from sqlmodel import col

from registry.domain import challenge as challenges
from registry.domain.challenge import LIFE, Challenge, Site
from registry.domain.units import Principal
from registry.services import sign_in as service
from registry.stacks import messages
from registry.stacks.c32 import encode_address
from registry.stacks.clarity import StringAscii, Tuple, from_hex
from registry.stacks.network import MAINNET, TESTNET
from registry.stacks.principals import StandardPrincipal
from registry.stacks.signing import PrivateKey
from registry.store.front_tables import SessionRow, UsedChallengeRow
from registry.store.session import Database, unit_of_work
from tests.integration.chain import ROOT, new_hex, new_key
from tests.integration.doors import ask, open_door
from tests.integration.signing_in import (
    OFTEN,
    Kind,
    answered,
    begin,
    challenged,
    keys_of,
    new_front_secret,
    sign_in,
    site_of,
)
from workers.embedded.node import find_node
from workers.front_secret import Purpose

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
PEER = Path(__file__).with_name("sign_in_peer.mjs")
kinds = pytest.mark.parametrize("kind", ["message", "structured"])


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/6"


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A front door's secret."""
    return new_front_secret(tmp_path_factory.mktemp("front") / "secret")


@pytest.fixture(scope="module")
def url(module_database: Database, broker: str, secret_file: Path) -> Iterator[str]:
    """A front door where owners sign in."""
    with open_door(module_database, broker, front_secret_file=secret_file, **OFTEN) as own:
        yield own


def refused(answer: requests.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


def made(site: Site, key: PrivateKey, *, secret_file: Path, ago: timedelta = timedelta(0)) -> Challenge:
    """A challenge that a front door of this site gave some time ago."""
    address = Principal(key.address(TESTNET))
    ring = keys_of(secret_file, Purpose.CHALLENGE)
    return challenges.give(site, address, keys=ring, now=datetime.now(UTC) - ago)


def signed(challenge: Challenge, key: PrivateKey, *, kind: Kind) -> dict[str, str]:
    signature = (
        messages.sign(challenge.text, key)
        if kind == "message"
        else messages.sign_structured(*service.structure(challenge), key)
    )
    return {"address": challenge.address, "nonce": challenge.nonce, "signature": signature.hex(), "kind": kind}


@kinds
def test_whoever_signs_a_challenge_is_the_holder_of_his_address(url: str, kind: Kind) -> None:
    key = new_key()
    own = sign_in(url, key, kind=kind)
    assert own.principal == key.address(TESTNET)
    me = ask(url, "GET", "/v1/me", token=own.token).json()
    assert (me["kind"], me["principal"], me["scopes"], me["api_key"]) == ("holder", own.principal, [], None)
    assert (me["session"]["id"], me["session"]["is_current"]) == (own.session_id, True)
    left = datetime.fromisoformat(me["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_a_challenge_says_what_it_binds_in_words_and_in_clarity_and_nothing_is_kept_of_it(
    url: str, module_database: Database
) -> None:
    with unit_of_work(module_database) as session:
        before = session.execute(select(func.count()).select_from(UsedChallengeRow)).scalar_one()
    address = new_key().address(TESTNET)
    told = challenged(url, address)
    domain = url.partition("://")[2]
    assert (told["domain"], told["network"], told["chain_id"]) == (domain, "testnet", 2**31)
    for each in (domain, address, url, "Network: testnet", "Chain ID: 2147483648", told["nonce"]):
        assert each in told["message"]
    assert datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(told["issued_at"]) == LIFE
    message = from_hex(told["structured"]["message_hex"])
    assert isinstance(message, Tuple)
    assert {name: message[name] for name in ("domain", "uri", "network", "nonce", "address")} == {
        "domain": StringAscii(domain),
        "uri": StringAscii(url),
        "network": StringAscii("testnet"),
        "nonce": StringAscii(told["nonce"]),
        "address": StandardPrincipal.parse(address),
    }
    assert set(message) == {"domain", "uri", "network", "nonce", "address", "statement", "issued-at", "expires-at"}
    assert told["structured"]["domain"] == {"name": "Policy Registry sign-in", "version": "1", "chain_id": 2**31}
    with unit_of_work(module_database) as session:
        assert session.execute(select(func.count()).select_from(UsedChallengeRow)).scalar_one() == before


@kinds
def test_what_a_wallet_made_with_stacks_js_signs_is_taken(url: str, kind: Kind) -> None:
    node, private_key = find_node(), new_hex()
    assert node is not None, "run make setup"
    challenge = challenged(url, PrivateKey.from_hex(private_key).address(TESTNET))
    asked = json.dumps({**challenge, "privateKey": private_key})
    argv = [*node.node, str(PEER), str(ROOT / "devnet" / "package.json"), asked]
    theirs = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout)  # noqa: S603 - ours
    assert theirs["address"] == challenge["address"]
    answer = {"address": challenge["address"], "nonce": challenge["nonce"], "signature": theirs[kind], "kind": kind}
    assert begin(url, answer).status_code == 201


@kinds
def test_a_challenge_opens_one_session_however_often_and_however_it_is_answered(url: str, kind: Kind) -> None:
    key = new_key()
    challenge = challenged(url, key.address(TESTNET))
    answer = answered(challenge, key, kind=kind)
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda _: begin(url, answer), range(8)))
    assert sorted(each.status_code for each in heard) == [201] + [401] * 7
    assert {each.json()["code"] for each in heard if each.status_code == 401} == {"challenge_used"}
    other: Kind = "structured" if kind == "message" else "message"
    refused(begin(url, answered(challenge, key, kind=other)), 401, "challenge_used")


@kinds
def test_a_challenge_of_another_address_site_or_network_is_forged_here(url: str, secret_file: Path, kind: Kind) -> None:
    key, own = new_key(), site_of(url)
    assert begin(url, signed(made(own, key, secret_file=secret_file), key, kind=kind)).status_code == 201
    for elsewhere in (
        replace(own, domain="registry.example.org"),
        replace(own, url="https://registry.example.org"),
        replace(own, network="mainnet"),
        replace(own, chain_id=1),
    ):
        answer = signed(made(elsewhere, key, secret_file=secret_file), key, kind=kind)
        refused(begin(url, answer), 401, "challenge_forged")
    other = new_key()
    borrowed = {**signed(made(own, other, secret_file=secret_file), key, kind=kind), "address": key.address(TESTNET)}
    refused(begin(url, borrowed), 401, "challenge_forged")


@kinds
def test_another_site_that_passes_our_challenge_on_gets_a_signature_that_is_worth_nothing(url: str, kind: Kind) -> None:
    """The owner signs what the other site shows: its own domain, our nonce."""
    key = new_key()
    ours = challenged(url, key.address(TESTNET))
    shown = Challenge(
        site=replace(site_of(url), domain="evil.example", url="https://evil.example"),
        address=Principal(ours["address"]),
        nonce=ours["nonce"],
        issued_at=datetime.fromisoformat(ours["issued_at"]),
    )
    refused(begin(url, signed(shown, key, kind=kind)), 401, "signature_wrong")


@kinds
def test_a_signature_of_another_key_text_or_kind_is_wrong(url: str, kind: Kind) -> None:
    key = new_key()
    challenge = challenged(url, key.address(TESTNET))
    refused(begin(url, answered(challenge, new_key(), kind=kind)), 401, "signature_wrong")
    other: Kind = "structured" if kind == "message" else "message"
    swapped = {**answered(challenge, key, kind=kind), "kind": other}
    refused(begin(url, swapped), 401, "signature_wrong")
    altered = {
        **challenge,
        "message": challenge["message"].replace("costs nothing", "costs little"),
        "structured": {
            **challenge["structured"],
            "message_hex": challenge["structured"]["message_hex"].replace(b"costs".hex(), b"takes".hex()),
        },
    }
    refused(begin(url, answered(altered, key, kind=kind)), 401, "signature_wrong")
    assert begin(url, answered(challenge, key, kind=kind)).status_code == 201, "a wrong answer uses nothing up"


def test_a_challenge_is_answered_within_five_minutes_or_never(url: str, secret_file: Path) -> None:
    key, own = new_key(), site_of(url)
    in_time = made(own, key, secret_file=secret_file, ago=LIFE - timedelta(seconds=30))
    assert begin(url, signed(in_time, key, kind="message")).status_code == 201
    for ago in (LIFE, LIFE + timedelta(days=1), -timedelta(minutes=1)):
        late = made(own, key, secret_file=secret_file, ago=ago)
        refused(begin(url, signed(late, key, kind="message")), 401, "challenge_expired")


def test_a_nonce_that_was_changed_is_forged(url: str) -> None:
    key = new_key()
    challenge = challenged(url, key.address(TESTNET))
    nonce = challenge["nonce"]
    later = f"{int(nonce[:16], 16) + 3600:016x}{nonce[16:]}"
    for other in (later, nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), "0" * 72):
        told = {**challenge, "nonce": other, "message": challenge["message"].replace(nonce, other)}
        refused(begin(url, answered(told, key)), 401, "challenge_forged")
    for other in (nonce.upper(), nonce + "00", f"{nonce[:-1]}g", ""):
        refused(begin(url, {**answered(challenge, key), "nonce": other}), 400, "bad_request")


def test_one_signature_has_one_form_and_any_usual_spelling(url: str) -> None:
    key = new_key()
    for spelled in (lambda text: f"0x{text}", str.upper):
        answer = answered(challenged(url, key.address(TESTNET)), key)
        assert begin(url, {**answer, "signature": spelled(answer["signature"])}).status_code == 201
    answer = answered(challenged(url, key.address(TESTNET)), key)
    r, s, v = answer["signature"][:64], int(answer["signature"][64:128], 16), int(answer["signature"][128:], 16)
    higher = f"{r}{ORDER - s:064x}{v ^ 1:02x}"
    wrong = [higher, *(f"{r}{s:064x}{each:02x}" for each in (v ^ 1, 4, 27 + v, 31 + v, 255))]
    wrong += [f"{0:064x}{s:064x}{v:02x}", f"{r}{0:064x}{v:02x}", f"{ORDER:064x}{s:064x}{v:02x}", "ff" * 65, "00" * 65]
    wrong += [f"{v:02x}{r}{s:064x}"]
    for each in wrong:
        refused(begin(url, {**answer, "signature": each}), 401, "signature_wrong")
    for each in (answer["signature"][2:], answer["signature"] + "00", "0X" + answer["signature"], "zz" * 65, ""):
        refused(begin(url, {**answer, "signature": each}), 400, "bad_request")
    assert begin(url, answer).status_code == 201


def test_an_address_has_one_spelling_and_is_that_of_one_key_on_this_network(url: str) -> None:
    key = new_key()
    address = key.address(TESTNET)
    hash160 = StandardPrincipal.parse(address).hash160
    last = "0" if address[-1] != "0" else "1"
    misspelled = [address.lower(), address.replace(address[5], "O"), f" {address}", f"{address}.contract", "", "S"]
    for each in misspelled:
        refused(ask(url, "POST", "/v1/challenges", json={"address": each}), 400, "bad_request")
    unusable = [address[:-1] + last, key.address(MAINNET)]
    unusable += [encode_address(version, hash160) for version in (TESTNET.multi_sig, MAINNET.multi_sig, 1)]
    for each in unusable:
        refused(ask(url, "POST", "/v1/challenges", json={"address": each}), 422, "bad_request")
        refused(begin(url, {**answered(challenged(url, address), key), "address": each}), 422, "bad_request")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/challenges", {}),
        ("/v1/challenges", {"address": 7}),
        ("/v1/challenges", {"address": "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB", "domain": "evil.example"}),
        ("/v1/challenges", []),
        ("/v1/sessions", {"address": "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"}),
        ("/v1/sessions", None),
    ],
    ids=str,
)
def test_a_body_of_another_shape_is_malformed(url: str, path: str, body: Any) -> None:
    refused(ask(url, "POST", path, json=body), 400, "bad_request")


def test_a_field_that_nobody_asked_for_is_malformed(url: str) -> None:
    key = new_key()
    answer = answered(challenged(url, key.address(TESTNET)), key)
    changes: list[dict[str, Any]] = [{"publicKey": key.public_key.hex()}, {"kind": "other"}, {"kind": None}]
    for more in changes:
        refused(begin(url, {**answer, **more}), 400, "bad_request")


def test_without_a_secret_nobody_signs_in_and_it_says_which_setting_is_missing(
    module_database: Database, broker: str
) -> None:
    key = new_key()
    with open_door(module_database, broker, **OFTEN) as url:
        for answer in (
            ask(url, "POST", "/v1/challenges", json={"address": key.address(TESTNET)}),
            begin(url, {"address": key.address(TESTNET), "nonce": "0" * 72, "signature": "0" * 130}),
        ):
            refused(answer, 503, "front_secret_file_missing")
            assert answer.headers["retry-after"]


def test_while_the_secret_is_exchanged_those_who_are_signed_in_stay_so(
    module_database: Database, broker: str, secret_file: Path, tmp_path: Path
) -> None:
    newer = new_front_secret(tmp_path / "newer")
    key, old_line, new_line = new_key(), secret_file.read_text(), newer.read_text()
    with open_door(module_database, broker, front_secret_file=secret_file, api_url="http://front", **OFTEN) as url:
        before = sign_in(url, key)
        waiting = answered(challenged(url, key.address(TESTNET)), key)
    newer.write_text(new_line + old_line)
    with open_door(module_database, broker, front_secret_file=newer, api_url="http://front", **OFTEN) as url:
        assert ask(url, "GET", "/v1/me", token=before.token).status_code == 200
        assert begin(url, waiting).status_code == 201
        after = sign_in(url, key)
    newer.write_text(new_line)
    with open_door(module_database, broker, front_secret_file=newer, api_url="http://front", **OFTEN) as url:
        assert ask(url, "GET", "/v1/me", token=after.token).status_code == 200
        refused(ask(url, "GET", "/v1/me", token=before.token), 401, "token_invalid")


def test_a_wrong_answer_keeps_nothing(url: str, module_database: Database) -> None:
    def rows() -> tuple[int, int]:
        with unit_of_work(module_database) as session:
            counts = [
                session.execute(select(func.count(key))).scalar_one()
                for key in (col(SessionRow.id), col(UsedChallengeRow.digest))
            ]
        return counts[0], counts[1]

    before = rows()
    key = new_key()
    refused(begin(url, answered(challenged(url, key.address(TESTNET)), new_key())), 401, "signature_wrong")
    assert rows() == before


def test_no_log_line_holds_a_token_a_nonce_or_a_signature(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    key = new_key()
    answer = answered(challenged(url, key.address(TESTNET)), key)
    token = begin(url, answer).json()["token"]
    refused(begin(url, answer), 401, "challenge_used")
    newer = ask(url, "POST", "/v1/sessions/rotate", token=token).json()["token"]
    ask(url, "GET", "/v1/me", token=token + "x")
    ask(url, "DELETE", "/v1/sessions", token=newer)
    ask(url, "GET", "/v1/me", token=newer)
    heard = capfd.readouterr()
    said = heard.out + heard.err
    assert "session.begun" in said
    assert key.address(TESTNET) in said
    for secret in (token, newer, token.rpartition(".")[2], answer["nonce"], answer["signature"][:64], "eyJ"):
        assert secret not in said
