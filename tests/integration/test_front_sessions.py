"""Sessions over HTTP: how long a token is good, how it is exchanged, and that what was ended is over at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import requests
from sqlalchemy import select, update
from sqlmodel import col

from registry.domain import token as tokens
from registry.domain.access import Scope, TokenExpired
from registry.domain.token import Claims
from registry.domain.units import Principal
from registry.services import api_keys
from registry.services import sign_in as service
from registry.services.sign_in import GRACE, KEPT, MOST_SESSIONS, Entrance
from registry.stacks.network import TESTNET
from registry.store import sessions
from registry.store.front_tables import SessionRow, UsedChallengeRow
from registry.store.session import Database, unit_of_work
from tests.integration.chain import new_key
from tests.integration.doors import ask, open_door
from tests.integration.signing_in import (
    OFTEN,
    SignedIn,
    answered,
    begin,
    challenged,
    keys_of,
    new_front_secret,
    sign_in,
    site_of,
)
from workers.front_secret import Purpose

Forge = Callable[..., str]


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


@pytest.fixture
def own(url: str) -> SignedIn:
    """Somebody who has just signed in."""
    return sign_in(url, new_key())


@pytest.fixture
def forge(url: str, secret_file: Path, own: SignedIn) -> Forge:
    """Writes tokens with the front door's own key, as nobody else can: of `own`, with changes."""
    now = datetime.now(UTC).replace(microsecond=0)
    claims = Claims(
        principal=own.principal,
        session_id=UUID(own.session_id),
        generation=1,
        issued_at=now,
        expires_at=now + timedelta(minutes=15),
    )

    def write(**changes: Any) -> str:
        return tokens.write(replace(claims, **changes), site=site_of(url), keys=keys_of(secret_file, Purpose.SESSION))

    return write


def me(url: str, token: str) -> requests.Response:
    return ask(url, "GET", "/v1/me", token=token)


def refused(answer: requests.Response, code: str, reason: str = "") -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
    assert reason in answer.json()["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"


def rotated(url: str, token: str) -> dict[str, Any]:
    answer = ask(url, "POST", "/v1/sessions/rotate", token=token)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def row_of(database: Database, own: SignedIn) -> SessionRow:
    with unit_of_work(database) as session:
        row = sessions.find(session, UUID(own.session_id))
    assert row is not None
    return row


def set_back(database: Database, own: SignedIn, **changes: Any) -> None:
    """Have a session begun, exchanged or ended at another time."""
    with unit_of_work(database) as session:
        session.execute(update(SessionRow).where(col(SessionRow.id) == UUID(own.session_id)).values(**changes))


def test_a_token_is_exchanged_within_its_session_and_the_old_one_is_good_for_what_is_under_way(
    url: str, own: SignedIn, module_database: Database
) -> None:
    told = rotated(url, own.token)
    assert told["token"] != own.token
    assert (told["token_type"], told["session"]["id"]) == ("Bearer", own.session_id)
    assert me(url, own.token).status_code == me(url, told["token"]).status_code == 200
    set_back(module_database, own, rotated_at=datetime.now(UTC) - GRACE)
    refused(me(url, own.token), "token_expired", "exchanged for a newer one")
    refused(ask(url, "POST", "/v1/sessions/rotate", token=own.token), "token_expired")
    assert me(url, told["token"]).status_code == 200


def test_a_token_that_was_exchanged_twice_over_is_over_at_once(url: str, own: SignedIn) -> None:
    second = rotated(url, own.token)["token"]
    third = rotated(url, second)["token"]
    refused(me(url, own.token), "token_expired")
    assert me(url, second).status_code == me(url, third).status_code == 200


def test_a_token_that_was_let_in_just_before_its_end_brings_no_older_generation_back(
    url: str, own: SignedIn, secret_file: Path, module_database: Database
) -> None:
    entrance = Entrance(
        site=site_of(url),
        network=TESTNET,
        challenges=keys_of(secret_file, Purpose.CHALLENGE),
        tokens=keys_of(secret_file, Purpose.SESSION),
        token_life=timedelta(minutes=15),
        session_life=timedelta(hours=12),
    )
    rotated(url, rotated(url, own.token)["token"])
    before = row_of(module_database, own)
    with pytest.raises(TokenExpired):
        service.rotate(module_database, entrance, own.token, now=datetime.now(UTC))
    assert row_of(module_database, own) == before


def test_exchanging_a_token_many_times_at_once_raises_its_generation_once(
    url: str, own: SignedIn, module_database: Database
) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: rotated(url, own.token)["token"], range(8)))
    assert row_of(module_database, own).generation == 2
    assert {me(url, each).status_code for each in made} == {200}
    (generation,) = {jwt.decode(each, options={"verify_signature": False})["gen"] for each in made}
    assert generation == 2


def test_a_token_is_over_at_its_end_and_so_is_the_way_to_a_new_one(url: str, forge: Forge) -> None:
    assert me(url, forge()).status_code == 200, "the forger of these tests writes what is taken"
    now = datetime.now(UTC).replace(microsecond=0)
    over = forge(issued_at=now - timedelta(minutes=15), expires_at=now)
    refused(me(url, over), "token_expired", "its end has come")
    refused(ask(url, "POST", "/v1/sessions/rotate", token=over), "token_expired")


def test_no_token_outlives_its_session_however_often_it_is_exchanged(
    url: str, own: SignedIn, module_database: Database
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=2)
    set_back(module_database, own, expires_at=end)
    told = rotated(url, own.token)
    assert datetime.fromisoformat(told["expires_at"]) == datetime.fromisoformat(told["session"]["expires_at"]) == end
    set_back(module_database, own, expires_at=datetime.now(UTC))
    for token in (own.token, told["token"]):
        refused(me(url, token), "session_ended", "as old as one may be")
        refused(ask(url, "POST", "/v1/sessions/rotate", token=token), "session_ended")


def test_whoever_signs_out_is_out_at_once_and_only_there(url: str) -> None:
    key = new_key()
    one, other = sign_in(url, key), sign_in(url, key)
    newer = rotated(url, one.token)["token"]
    assert ask(url, "DELETE", "/v1/sessions/current", token=newer).status_code == 204
    for token in (one.token, newer):
        refused(me(url, token), "session_ended", "signed out")
        refused(ask(url, "DELETE", "/v1/sessions/current", token=token), "session_ended")
        refused(ask(url, "POST", "/v1/sessions/rotate", token=token), "session_ended")
    assert me(url, other.token).status_code == 200


def test_whoever_signs_out_everywhere_is_out_everywhere_and_nobody_else_is(url: str, own: SignedIn) -> None:
    key = new_key()
    mine = [sign_in(url, key) for _ in range(3)]
    assert ask(url, "DELETE", "/v1/sessions", token=mine[1].token).status_code == 204
    for each in mine:
        refused(me(url, each.token), "session_ended", "signed out")
    assert me(url, own.token).status_code == 200
    assert me(url, sign_in(url, key).token).status_code == 200


def test_a_holder_sees_his_own_sessions_that_stand(url: str, module_database: Database) -> None:
    key = new_key()
    over, first, second = (sign_in(url, key) for _ in range(3))
    set_back(module_database, over, expires_at=datetime.now(UTC))
    answer = ask(url, "GET", "/v1/sessions", token=first.token)
    told = answer.json()
    assert [each["id"] for each in told["items"]] == [second.session_id, first.session_id]
    assert [each["is_current"] for each in told["items"]] == [False, True]
    assert told["next"] is None
    again = ask(url, "GET", "/v1/sessions", token=first.token, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_holder_has_so_many_sessions_and_a_further_one_ends_the_oldest(url: str, module_database: Database) -> None:
    key = new_key()
    principal = Principal(key.address(TESTNET))
    oldest = sign_in(url, key)
    set_back(module_database, oldest, created_at=datetime.now(UTC) - timedelta(hours=1))
    with unit_of_work(module_database) as session:
        now = datetime.now(UTC)
        for _ in range(MOST_SESSIONS - 1):
            sessions.begin(session, principal, now=now, expires_at=now + timedelta(hours=1))
    assert me(url, oldest.token).status_code == 200
    newest = sign_in(url, key)
    refused(me(url, oldest.token), "session_ended")
    assert len(ask(url, "GET", "/v1/sessions", token=newest.token).json()["items"]) == MOST_SESSIONS


def test_a_token_of_ours_needs_a_session_that_is_its_holders_and_has_come_so_far(
    url: str, own: SignedIn, forge: Forge
) -> None:
    other = sign_in(url, new_key())
    for changes in (
        {"session_id": uuid4()},
        {"principal": other.principal},
        {"session_id": UUID(other.session_id)},
        {"generation": 2},
    ):
        refused(me(url, forge(**changes)), "token_invalid")
    assert me(url, own.token).status_code == 200


def test_what_others_sign_or_nobody_signs_is_no_token(url: str, own: SignedIn, secret_file: Path) -> None:
    head, body, signature = own.token.split(".")
    told = jwt.decode(own.token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(own.token)["kid"]
    theirs = keys_of(new_front_secret(secret_file.with_name("theirs")), Purpose.SESSION)
    ring = keys_of(secret_file, Purpose.SESSION)
    cookies = keys_of(secret_file, Purpose.CURSOR)
    forged = [
        jwt.encode(told, None, algorithm="none", headers={"kid": kid}),
        jwt.encode(told, theirs.newest, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(told, cookies.newest, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(told, ring.newest, algorithm="HS256", headers={"kid": "unknown"}),
        jwt.encode(told, ring.newest, algorithm="HS256"),
        jwt.encode(told, ring.newest * 2, algorithm="HS512", headers={"kid": kid}),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'Q'}",
        *("x", "..", "é", "prk", "eyJ" * 2000, "null"),
    ]
    for each in forged:
        answer = ask(url, "GET", "/v1/me", headers={"Authorization": f"Bearer {each}".encode("latin-1")})
        refused(answer, "token_invalid")


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_a_token_under_another_scheme_is_not_looked_at(url: str, own: SignedIn, scheme: str) -> None:
    answer = ask(url, "GET", "/v1/me", headers={"Authorization": f"{scheme} {own.token}".strip()})
    refused(answer, "unauthorized")
    refused(ask(url, "GET", "/v1/me"), "unauthorized", "POST /v1/challenges")


def test_a_service_has_no_sessions(url: str, module_database: Database) -> None:
    now = datetime.now(UTC)
    key = api_keys.create(module_database, "tests", scopes=list(Scope), expires_at=None, now=now)["key"]
    for method, path in (
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions/rotate"),
        ("DELETE", "/v1/sessions/current"),
        ("DELETE", "/v1/sessions"),
    ):
        answer = ask(url, method, path, token=key)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_what_is_long_over_is_forgotten_a_batch_at_a_time_and_nothing_else(database: Database) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    with unit_of_work(database) as session:
        for number in range(6):
            end = now - KEPT + timedelta(minutes=number - 3)
            sessions.begin(session, "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB", now=now, expires_at=end)
            assert sessions.use_challenge(session, str(number), expires_at=end)
    assert [service.forget(database, now=now, limit=2) for _ in range(3)] == [4, 2, 0]
    with unit_of_work(database) as session:
        assert sorted(session.execute(select(col(UsedChallengeRow.digest))).scalars()) == ["3", "4", "5"]
        assert len(session.execute(select(col(SessionRow.id))).all()) == 3


def test_while_the_database_is_away_nobody_is_told_that_he_is_nobody(
    broker: str, secret_file: Path, own: SignedIn
) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/nowhere")
    with open_door(away, broker, front_secret_file=secret_file, **OFTEN) as url:
        key = new_key()
        body = {"address": key.address(TESTNET), "nonce": "0" * 72, "signature": "0" * 130}
        for answer in (
            me(url, own.token),
            me(url, f"prk_{'0' * 12}_{'0' * 64}"),
            begin(url, body),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
            assert answer.headers["retry-after"]


def test_a_challenge_that_was_answered_is_remembered_for_as_long_as_it_could_be_answered(
    url: str, module_database: Database
) -> None:
    key = new_key()
    challenge = challenged(url, key.address(TESTNET))
    assert begin(url, answered(challenge, key)).status_code == 201
    end = datetime.fromisoformat(challenge["expires_at"])
    service.forget(module_database, now=end)
    assert begin(url, answered(challenge, key)).json()["code"] == "challenge_used"
