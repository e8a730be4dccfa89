"""Actions: what a holder has done under an idempotency key; the same key is answered with the same bytes, whoever asks.

A row is committed, then the call is published, then its answer is kept, then it is sent. A process may end between any
two: whoever repeats finds the row, and the task under its inner key finds what was recorded.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from celery.states import SUCCESS
from fastapi import Request
from fastapi.responses import Response

from api import answers, problem
from api.caller import Caller
from api.door import Door
from api.idempotency import waits
from api.results import Outcome
from registry import fault_points
from registry.domain.errors import Refusal
from registry.services import submissions
from registry.services.submissions import Reply, Submitted
from workers.refusals import BrokerUnreachable, error_of

LOOK_AGAIN_SECONDS = 2
REPLAYED = "Idempotent-Replayed"
_LOG = structlog.get_logger()


class Operation(StrEnum):
    """What can be done; the name is a part of the inner key, so it outlives routes."""

    CREATE = "policies.create"
    PURCHASE = "policies.purchase"
    ACTIVATE = "policies.activate"
    CANCEL = "policies.cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """The task that does an operation, and the status of its success."""

    task: str
    status: HTTPStatus = HTTPStatus.OK


DONE_BY: Mapping[Operation, _Done] = MappingProxyType(
    {
        Operation.CREATE: _Done(task="policies.request_creation", status=HTTPStatus.CREATED),
        Operation.PURCHASE: _Done(task="policies.report_creation_tx"),
        Operation.ACTIVATE: _Done(task="policies.request_activation"),
        Operation.CANCEL: _Done(task="policies.report_creation_tx"),
    }
)


class Actions:
    """Has things done for callers of one process."""

    def __init__(self, door: Door) -> None:
        """Take what the process holds."""
        self._door = door
        # a call without an answer for so long is made again
        self._patience = timedelta(seconds=door.settings.lease_seconds)

    async def do(
        self, request: Request, caller: Caller, operation: Operation, *, key: str, message: Mapping[str, Any]
    ) -> Response:
        """Have it done once for this key, and answer, now or by 202 with where the answer will be."""
        own = await self._door.threads.run(partial(self._submit, caller.name, operation, key=key, message=message))
        seconds = waits(request, usual=self._door.settings.api_wait_seconds)
        reply = await self._reply(own, seconds=seconds)
        if reply is None:
            return _later(own)
        return _sent(reply, is_replayed=not own.is_ours)

    async def look(self, request: Request, caller: Caller, submission_id: UUID) -> Submitted | None:
        """A caller's own submission, with an answer that has come since; a call that was lost is made again."""
        own = await self._door.threads.run(partial(self._resume, caller.name, submission_id))
        if own is None or own.reply is not None:
            return own
        await self._reply(own, seconds=waits(request, usual=0.0))
        return await self._door.threads.run(
            partial(submissions.look, self._door.database, submission_id, caller=caller.name)
        )

    def _submit(self, caller: str, operation: Operation, *, key: str, message: Mapping[str, Any]) -> Submitted:
        with fault_points.doing("submissions.submit"):
            return submissions.submit(
                self._door.database,
                caller=caller,
                key=key,
                operation=operation.value,
                message=message,
                patience=self._patience,
                now=self._door.runtime.now(),
            )

    def _resume(self, caller: str, submission_id: UUID) -> Submitted | None:
        with fault_points.doing("submissions.submit"):
            return submissions.resume(
                self._door.database,
                submission_id,
                caller=caller,
                patience=self._patience,
                now=self._door.runtime.now(),
            )

    async def _reply(self, own: Submitted, *, seconds: float) -> Reply | None:
        """The final answer, kept; None while there is none."""
        if own.reply is not None:
            return own.reply
        if own.task_id is None:
            return None
        if own.is_ours:
            await self._publish(own, own.task_id)
        outcome = await self._outcome(own, own.task_id, seconds=seconds)
        if outcome is None:
            # another may have kept one meanwhile, this process for another caller too
            return await self._door.threads.run(partial(submissions.reply, self._door.database, own.id))
        try:
            reply = _read(own, outcome)
        except Exception:
            # nothing was done, or nobody knows what: a repeat finds out
            await self._give_back(own, own.task_id)
            raise
        return await self._door.threads.run(partial(self._keep, own.id, reply))

    async def _outcome(self, own: Submitted, task_id: str, *, seconds: float) -> Outcome | None:
        if seconds > 0:
            return await self._door.results.wait(task_id, seconds=seconds, submission_id=own.id)
        try:
            found = await self._door.asking.run(partial(self._door.registry.outcomes, [task_id]))
        except BrokerUnreachable:
            return None
        return found.get(task_id)

    async def _publish(self, own: Submitted, task_id: str) -> None:
        try:
            await self._door.asking.run(partial(self._send, own, task_id))
        except Exception:
            # it may have been sent for all that: then two canvases do what one would have done
            await self._give_back(own, task_id)
            raise

    def _send(self, own: Submitted, task_id: str) -> None:
        with fault_points.doing("submissions.send"):
            fault_points.reached("publish.before")
            self._door.registry.send(_done(own).task, own.message, task_id=task_id)
            fault_points.reached("publish.after")
        _LOG.info("submission.sent", submission_id=str(own.id), operation=own.operation, task_id=task_id)

    async def _give_back(self, own: Submitted, task_id: str) -> None:
        await self._door.threads.run(partial(submissions.give_back, self._door.database, own.id, task_id=task_id))

    def _keep(self, submission_id: UUID, reply: Reply) -> Reply:
        with fault_points.doing("submissions.keep"):
            return submissions.keep(self._door.database, submission_id, reply, now=self._door.runtime.now())


def _done(own: Submitted) -> _Done:
    return DONE_BY[Operation(own.operation)]


def _read(own: Submitted, outcome: Outcome) -> Reply:
    """What a call ended with as the bytes of an answer; what is not final is raised."""
    done = _done(own)
    if outcome["status"] == SUCCESS:
        return Reply(status=done.status, media_type=answers.JSON, body=answers.encoded(outcome["result"]))
    error = error_of(outcome["result"], task=done.task, task_id=own.task_id or "")
    if not isinstance(error, Refusal):
        raise error
    told = problem.answer(problem.of_error(error))
    return Reply(status=told.status_code, media_type=problem.MEDIA_TYPE, body=bytes(told.body))


def _sent(reply: Reply, *, is_replayed: bool) -> Response:
    headers = {"Cache-Control": "no-store"}
    if reply.status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/policies/{json.loads(reply.body)['policy']['id']}"
    if is_replayed:
        headers[REPLAYED] = "true"
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type, headers=headers)


def _later(own: Submitted) -> Response:
    headers = {"Location": f"/v1/submissions/{own.id}", "Retry-After": str(LOOK_AGAIN_SECONDS)}
    return answers.plain(described(own), status=HTTPStatus.ACCEPTED, headers=headers)


def described(own: Submitted) -> dict[str, Any]:
    """A submission as JSON."""
    reply, at = own.reply, own.answered_at
    return {
        "id": str(own.id),
        "operation": own.operation,
        "state": "running" if reply is None else "done",
        "asked_at": own.asked_at.isoformat(),
        "answered_at": None if at is None else at.isoformat(),
        "status": None if reply is None else reply.status,
        "answer": None if reply is None else json.loads(reply.body),
    }
