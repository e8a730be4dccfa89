"""Signing in: `/v1/challenges`, `/v1/sessions`, and `/v1/me`, who one is."""

from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field

from api import answers, problem
from api.caller import BEARER, Caller, unauthorized
from api.door import Door
from registry.domain.access import SignInOff
from registry.domain.challenge import NONCE_PATTERN
from registry.domain.units import Principal
from registry.services import api_keys, sign_in
from registry.services.sign_in import Answer, Entrance, Signed
from registry_client import access_answers as shapes

PROBLEMS = problem.told(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
EXAMPLE = "ST1SJ3DTE5DN7X54YDH5D64R3BCB6A2AG2ZQ8YPD5"
Address = Annotated[
    str,
    Field(
        pattern="^S[0-9A-HJKMNP-TV-Z]{27,40}$",
        description="An account of one key on this network, in its canonical spelling.",
        examples=[EXAMPLE],
    ),
]


class ChallengeRequest(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")

    address: Address


class SessionRequest(BaseModel):
    """The answer to a challenge: which one, and the signature, R ‖ S ‖ V in hex."""

    model_config = ConfigDict(extra="forbid")

    address: Address
    nonce: Annotated[str, Field(pattern=NONCE_PATTERN, examples=["0" * 72])]
    signature: Annotated[str, Field(pattern="^(0x)?[0-9a-fA-F]{130}$", examples=["0" * 130])]
    kind: Annotated[Signed, Field(description="What was signed: the text, or the structured message.")] = Signed.MESSAGE


def router(door: Door) -> APIRouter:
    """Make the routes."""
    own = APIRouter(tags=["sign-in"])
    for add in (_add_challenges, _add_beginning, _add_list, _add_rotation, _add_end, _add_end_everywhere, _add_me):
        add(own, door)
    return own


def _add_challenges(own: APIRouter, door: Door) -> None:
    @own.post(
        "/challenges",
        operation_id="give_challenge",
        summary="Get a text to sign",
        responses={
            **answers.shown(shapes.Challenge, description="Sign it within five minutes; it is taken once."),
            **problem.told(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
        },
    )
    async def give_challenge(asked: ChallengeRequest) -> Response:
        """Give an address a challenge for its wallet to sign; nothing is kept of it."""
        entrance = _entrance(door)
        made = await door.threads.run(
            lambda: sign_in.give_challenge(entrance, asked.address, now=door.runtime.now()),
        )
        return answers.plain(made)


def _add_beginning(own: APIRouter, door: Door) -> None:
    @own.post(
        "/sessions",
        operation_id="sign_in",
        summary="Sign in",
        status_code=HTTPStatus.CREATED,
        responses={
            HTTPStatus.CREATED.value: {"model": shapes.SignedIn, "description": "Signed in."},
            **problem.told(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.UNPROCESSABLE_ENTITY,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
    )
    async def begin(asked: SessionRequest) -> Response:
        """Open a session with a signed challenge: its token is sent as `Authorization: Bearer …` from then on."""
        entrance = _entrance(door)
        answer = Answer(address=asked.address, nonce=asked.nonce, signature=asked.signature, kind=asked.kind)
        begun = await door.threads.run(
            lambda: sign_in.begin(door.database, entrance, answer, now=door.runtime.now()),
        )
        return answers.plain(begun, status=HTTPStatus.CREATED)


def _add_list(own: APIRouter, door: Door) -> None:
    @own.get(
        "/sessions",
        operation_id="list_sessions",
        summary="Where one is signed in",
        responses={**answers.shown(shapes.Sessions), **PROBLEMS},
    )
    async def list_sessions(request: Request, caller: Annotated[Caller, Depends(door.guard.holder)]) -> Response:
        """List the holder's sessions that stand, newest first."""
        rows = await door.threads.run(
            lambda: sign_in.listed(
                door.database, _principal(caller), current=caller.session_id, now=door.runtime.now()
            ),
        )
        return answers.tagged(request, {"items": rows, "next": None})


def _add_rotation(own: APIRouter, door: Door) -> None:
    @own.post(
        "/sessions/rotate",
        operation_id="rotate_session",
        summary="Exchange the token",
        responses={**answers.shown(shapes.SignedIn), **PROBLEMS},
    )
    async def rotate(
        _caller: Annotated[Caller, Depends(door.guard.holder)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
    ) -> Response:
        """Exchange a token for a new one of the same session, before it ends; the old one is taken for 30 s more."""
        entrance, token = _entrance(door), "" if credentials is None else credentials.credentials
        rotated = await door.threads.run(
            lambda: sign_in.rotate(door.database, entrance, token, now=door.runtime.now()),
        )
        return answers.plain(rotated)


def _add_end(own: APIRouter, door: Door) -> None:
    @own.delete(
        "/sessions/current",
        operation_id="sign_out",
        summary="Sign out",
        status_code=HTTPStatus.NO_CONTENT,
        responses=PROBLEMS,
    )
    async def sign_out(caller: Annotated[Caller, Depends(door.guard.holder)]) -> Response:
        """End the session of this token."""
        if caller.session_id is not None:
            await door.threads.run(partial(_end, door, caller.session_id))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_end_everywhere(own: APIRouter, door: Door) -> None:
    @own.delete(
        "/sessions",
        operation_id="sign_out_everywhere",
        summary="Sign out everywhere",
        status_code=HTTPStatus.NO_CONTENT,
        responses=PROBLEMS,
    )
    async def sign_out_everywhere(caller: Annotated[Caller, Depends(door.guard.holder)]) -> Response:
        """End every session of the holder, this one included."""
        await door.threads.run(
            lambda: sign_in.sign_out_everywhere(door.database, _principal(caller), now=door.runtime.now()),
        )
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_me(own: APIRouter, door: Door) -> None:
    @own.get(
        "/me",
        operation_id="who_am_i",
        summary="Who one is",
        responses={
            **answers.shown(shapes.Me),
            **problem.told(HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE),
        },
    )
    async def who_am_i(request: Request, caller: Annotated[Caller, Depends(door.guard.caller)]) -> Response:
        """Say whom the token or key makes one, what it allows, and when it ends."""
        return answers.tagged(request, await door.threads.run(partial(_me, door, caller)))


def _me(door: Door, caller: Caller) -> shapes.Me:
    key = None if caller.key_id is None else api_keys.shown(door.database, caller.key_id)
    return {
        "kind": "service" if caller.principal is None else "holder",
        "principal": caller.principal,
        "scopes": sorted(caller.scopes),
        "expires_at": _moment(caller.expires_at),
        "session": _session(door, caller),
        "api_key": key,
    }


def _session(door: Door, caller: Caller) -> shapes.Session | None:
    if caller.principal is None or caller.session_id is None:
        return None
    own = sign_in.listed(door.database, caller.principal, current=caller.session_id, now=door.runtime.now())
    return next((each for each in own if each.get("is_current")), None)


def _end(door: Door, session_id: UUID) -> None:
    sign_in.sign_out(door.database, session_id, now=door.runtime.now())


def _entrance(door: Door) -> Entrance:
    if door.entrance is None:
        raise SignInOff
    return door.entrance


def _principal(caller: Caller) -> Principal:
    if caller.principal is None:
        raise unauthorized(detail="nobody bears this token")
    return caller.principal


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
