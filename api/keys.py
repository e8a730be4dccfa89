"""Keys of services, for operators: `/v1/api-keys`."""

from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api import answers, problem
from api.caller import Caller, forbidden
from api.door import Door
from api.problem import Problem
from registry.domain.access import Scope
from registry.services import api_keys
from registry_client import access_answers as shapes

PROBLEMS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_LOG = structlog.get_logger()


class KeyRequest(BaseModel):
    """A key to make: for whom, what it may do, and for how long; without `days` it ends with the one that makes it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "portfolio-service", "scopes": ["read"], "days": 90}]}
    )

    name: Annotated[str, Field(pattern=api_keys.NAME)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    days: Annotated[int | None, Field(strict=True, ge=1, le=api_keys.MOST_DAYS)] = None


class KeysAsked(BaseModel):
    """Which page of keys."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str | None, Field(pattern=api_keys.PREFIX, description="`next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=api_keys.MOST)] = 50


def router(door: Door) -> APIRouter:
    """Make the routes."""
    own = APIRouter(prefix="/api-keys", tags=["api-keys"])
    _add_list(own, door)
    _add_making(own, door)
    _add_revoking(own, door)
    return own


def _add_list(own: APIRouter, door: Door) -> None:
    @own.get(
        "",
        operation_id="list_api_keys",
        summary="Keys of services",
        responses={
            **answers.shown(shapes.ApiKeys),
            **problem.told(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, *PROBLEMS),
        },
    )
    async def list_api_keys(
        request: Request,
        asked: Annotated[KeysAsked, Query()],
        _operator: Annotated[Caller, Depends(door.guard.service(Scope.OPERATOR))],
    ) -> Response:
        """List keys without their secrets, newest first; those that are over too."""
        page = await door.threads.run(
            partial(api_keys.listed, door.database, after=asked.after, limit=asked.limit),
        )
        return answers.tagged(request, page)


def _add_making(own: APIRouter, door: Door) -> None:
    @own.post(
        "",
        operation_id="create_api_key",
        summary="Make a key",
        status_code=HTTPStatus.CREATED,
        responses={
            HTTPStatus.CREATED.value: {"model": shapes.NewApiKey, "description": "The key, shown this once."},
            **problem.told(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, *PROBLEMS),
        },
    )
    async def create_api_key(
        asked: KeyRequest, operator: Annotated[Caller, Depends(door.guard.service(Scope.OPERATOR))]
    ) -> Response:
        """Make a key that may do no more than the one that makes it, and not what operators may, nor lasts longer."""
        _require_given(asked.scopes, operator)
        made = await door.threads.run(partial(_create, door, asked, until=operator.expires_at))
        _LOG.info("key.created", prefix=made["api_key"]["prefix"], scopes=made["api_key"]["scopes"], by=operator.name)
        return answers.plain(made, status=HTTPStatus.CREATED)


def _add_revoking(own: APIRouter, door: Door) -> None:
    @own.delete(
        "/{prefix}",
        operation_id="revoke_api_key",
        summary="Take a key back",
        responses={
            **answers.shown(shapes.ApiKey, description="The key, over from now on."),
            **problem.told(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, *PROBLEMS),
        },
    )
    async def revoke_api_key(
        prefix: Annotated[str, Path(pattern=api_keys.PREFIX, description="What stands between `prk_` and the secret.")],
        operator: Annotated[Caller, Depends(door.guard.service(Scope.OPERATOR))],
    ) -> Response:
        """Take a key back: the next request with it is refused. Taking it back again changes nothing."""
        revoked = await door.threads.run(
            lambda: api_keys.revoke(door.database, prefix, now=door.runtime.now()),
        )
        if revoked is None:
            raise Problem(HTTPStatus.NOT_FOUND, code="api_key_not_found", detail=f"there is no key {prefix}")
        _LOG.info("key.revoked", prefix=prefix, by=operator.name)
        return answers.plain(revoked)


def _require_given(scopes: list[Scope], operator: Caller) -> None:
    """Let a key hand on its own scopes but that of operators, whose keys `registry api-keys` makes at the database."""
    beyond = set(scopes) - (operator.scopes - {Scope.OPERATOR})
    if beyond:
        named = ", ".join(sorted(beyond))
        detail = f"this key cannot give {named}: it gives what it has itself, and never operator"
        raise forbidden(code="scope_not_given", detail=detail)


def _create(door: Door, asked: KeyRequest, *, until: datetime | None) -> shapes.NewApiKey:
    now = door.runtime.now()
    ends = [end for end in (until, now + timedelta(days=asked.days) if asked.days else None) if end is not None]
    return api_keys.create(door.database, asked.name, scopes=asked.scopes, expires_at=min(ends, default=None), now=now)
