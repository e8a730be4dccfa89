"""Submissions: `GET /v1/submissions/{submission}` tells how what was asked under a key stands."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import answers, problem
from api.actions import LOOK_AGAIN_SECONDS, Actions, described
from api.caller import Caller
from api.door import Door
from api.idempotency import PREFER
from api.problem import Problem
from registry_client.answers import Submission


def router(door: Door) -> APIRouter:
    """Make the route."""
    own, actions = APIRouter(tags=["actions"]), Actions(door)

    @own.get(
        "/submissions/{submission}",
        summary="Look at what was asked",
        openapi_extra={
            "parameters": [{**PREFER, "description": "`wait=N`: wait N seconds, 0 to 20, for what is not over yet."}]
        },
        responses={
            **answers.shown(Submission),
            304: {"description": "As `If-None-Match` has it."},
            **problem.told(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
    )
    async def get_submission(
        request: Request, submission: UUID, caller: Annotated[Caller, Depends(door.guard.holder)]
    ) -> Response:
        """Tell whether it is over, and the answer if it is.

        What a worker lost meanwhile is asked of it again: nothing is done twice.
        """
        found = await actions.look(request, caller, submission)
        if found is None:
            detail = f"you asked for nothing that is called {submission}, or so long ago that it is forgotten"
            raise Problem(HTTPStatus.NOT_FOUND, code="submission_not_found", detail=detail)
        headers = {"Retry-After": str(LOOK_AGAIN_SECONDS)} if found.reply is None else {}
        return answers.tagged(request, described(found), headers=headers)

    return own
