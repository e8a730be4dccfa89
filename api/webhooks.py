"""Webhooks: where a service is told of policies. `/v1/webhooks`, for keys with the scope `events`."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import answers, problem
from api.caller import Caller, forbidden
from api.door import Door
from api.problem import Problem
from api.webhook_bodies import Asked, NewWebhook, WebhookChanges, WebhookSpan
from registry.domain.access import Scope
from registry.domain.errors import BadRequest
from registry.domain.webhook import MEANINGS, WebhooksOff, secret_of, secret_text
from registry.outside.addresses import Reach, UnsafeAddressError, read, resolve, system_resolver
from registry.queries import webhooks as queries
from registry.services import webhook_endpoints as endpoints
from registry.services.webhook_endpoints import Change
from registry.store.session import unit_of_work
from registry_client import webhook_answers as shapes
from workers.webhook_secret import read_webhook_secret

RESOLVE_SECONDS = 5.0

_Answer = TypeVar("_Answer")
_LET_IN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_ONE = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, *_LET_IN)
_Endpoint = Annotated[UUID, Path(description="The endpoint's id.")]


def router(door: Door) -> APIRouter:
    """Make the routes; what endpoints' secrets are made from is read once."""
    own = APIRouter(prefix="/webhooks", tags=["webhooks"])
    master = read_webhook_secret(door.settings.webhook_secret_file)
    _add_kinds(own, door)
    _add_making(own, door, master)
    _add_reading(own, door)
    _add_changing(own, door)
    _add_secrets(own, door, master)
    _add_deliveries(own, door)
    _add_resending(own, door)
    return own


def _owner(door: Door) -> Any:  # noqa: ANN401 - a dependency of FastAPI's
    """Let in a service by its own key: endpoints are the key's."""
    return Depends(door.guard.service(Scope.EVENTS))


def _key_of(caller: Caller) -> UUID:
    if caller.key_id is None:
        raise forbidden(detail="webhooks belong to a service's key")
    return caller.key_id


def _found(value: _Answer | None) -> _Answer:
    """Answer what there is; what is somebody else's looks as if there were none."""
    if value is None:
        raise Problem(HTTPStatus.NOT_FOUND, code="webhook_not_found", detail="this key has no such webhook")
    return value


async def _require_safe(door: Door, url: str) -> None:
    """Refuse a URL to which nothing would be sent; it is looked at again at each sending."""
    reach = Reach.ANY if door.settings.webhook_private_addresses else Reach.PUBLIC

    def check() -> None:
        resolve(read(url, reach=reach), reach=reach, resolver=system_resolver, seconds=RESOLVE_SECONDS)

    try:
        await door.asking.run(check)
    except UnsafeAddressError as error:
        raise BadRequest(field="url", reason=str(error)) from None


def _secret(master: bytes, endpoint_id: str, *, version: int) -> str:
    return secret_text(secret_of(master, UUID(endpoint_id), version=version))


def _add_kinds(own: APIRouter, door: Door) -> None:
    told = {"items": [{"kind": kind.value, "meaning": said} for kind, said in MEANINGS.items()], "next": None}

    @own.get(
        "/kinds",
        operation_id="list_webhook_kinds",
        summary="What a service can be told of",
        responses={**answers.shown(shapes.WebhookKinds), **problem.told(*_LET_IN)},
    )
    async def list_webhook_kinds(request: Request, _service: Annotated[Caller, _owner(door)]) -> Response:
        """List the kinds of messages. A message of a policy's status is told each time that the policy enters it."""
        return answers.tagged(request, told)


def _add_making(own: APIRouter, door: Door, master: bytes | None) -> None:
    @own.post(
        "",
        operation_id="create_webhook",
        summary="Be told of policies",
        status_code=HTTPStatus.CREATED,
        responses={
            HTTPStatus.CREATED.value: {"model": shapes.NewWebhookEndpoint, "description": "With its secret, once."},
            **problem.told(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, *_LET_IN),
        },
    )
    async def create_webhook(body: NewWebhook, service: Annotated[Caller, _owner(door)]) -> Response:
        """Name an address and the kinds that are posted to it from now on; answers the secret that signs them."""
        key_id = _key_of(service)
        if master is None:
            raise WebhooksOff
        await _require_safe(door, body.url)
        made = await door.threads.run(
            lambda: endpoints.create(
                door.database,
                key_id=key_id,
                url=body.url,
                kinds=body.kinds,
                description=body.description,
                now=door.runtime.now(),
            )
        )
        told = {"secret": _secret(master, made["id"], version=1), "endpoint": made}
        return answers.plain(told, status=HTTPStatus.CREATED)


def _add_reading(own: APIRouter, door: Door) -> None:
    @own.get(
        "",
        operation_id="list_webhooks",
        summary="Your endpoints",
        responses={**answers.shown(shapes.WebhookEndpoints), **problem.told(*_LET_IN)},
    )
    async def list_webhooks(request: Request, service: Annotated[Caller, _owner(door)]) -> Response:
        """List this key's endpoints without their secrets, oldest first."""
        key_id = _key_of(service)

        def ask() -> list[dict[str, Any]]:
            with unit_of_work(door.database) as session:
                return [queries.describe_endpoint(row) for row in queries.endpoints(session, key_id=key_id)]

        return answers.tagged(request, {"items": await door.threads.run(ask), "next": None})

    @own.get(
        "/{endpoint:uuid}",
        operation_id="get_webhook",
        summary="One of your endpoints",
        responses={**answers.shown(shapes.WebhookEndpoint), **problem.told(*_ONE)},
    )
    async def get_webhook(request: Request, endpoint: _Endpoint, service: Annotated[Caller, _owner(door)]) -> Response:
        """Show one endpoint without its secret."""
        return answers.tagged(request, await door.threads.run(partial(_own, door, endpoint, _key_of(service))))


def _own(door: Door, endpoint: UUID, key_id: UUID) -> dict[str, Any]:
    with unit_of_work(door.database) as session:
        return queries.describe_endpoint(_found(queries.endpoint(session, endpoint, key_id=key_id)))


def _add_changing(own: APIRouter, door: Door) -> None:
    @own.patch(
        "/{endpoint:uuid}",
        operation_id="update_webhook",
        summary="Change an endpoint",
        responses={
            **answers.shown(shapes.WebhookEndpoint),
            **problem.told(HTTPStatus.UNPROCESSABLE_ENTITY, *_ONE),
        },
    )
    async def update_webhook(
        endpoint: _Endpoint, body: WebhookChanges, service: Annotated[Caller, _owner(door)]
    ) -> Response:
        """Change what is named. While one is disabled nothing is made for it, and what waited for it is dead."""
        if body.url is not None:
            await _require_safe(door, body.url)
        change = Change(url=body.url, kinds=body.kinds, description=body.description, enabled=body.enabled)
        return answers.plain(await _done(door, service, partial(endpoints.change, door.database, endpoint, change)))

    @own.delete(
        "/{endpoint:uuid}",
        operation_id="delete_webhook",
        summary="Be told no more",
        status_code=HTTPStatus.NO_CONTENT,
        responses=problem.told(*_ONE),
    )
    async def delete_webhook(endpoint: _Endpoint, service: Annotated[Caller, _owner(door)]) -> Response:
        """End an endpoint, with whatever waits for it."""
        await _done(door, service, partial(endpoints.remove, door.database, endpoint))
        return Response(status_code=HTTPStatus.NO_CONTENT)


async def _done(door: Door, service: Caller, do: Callable[..., _Answer | None]) -> _Answer:
    """Do something to an endpoint of the caller's at the present time; 404 if it has no such one."""
    key_id = _key_of(service)
    return _found(await door.threads.run(lambda: do(key_id=key_id, now=door.runtime.now()) or None))


def _add_secrets(own: APIRouter, door: Door, master: bytes | None) -> None:
    @own.post(
        "/{endpoint:uuid}/rotate",
        operation_id="rotate_webhook_secret",
        summary="Exchange the secret",
        responses={
            **answers.shown(shapes.NewWebhookEndpoint, description="With the new secret, once."),
            **problem.told(*_ONE),
        },
    )
    async def rotate_webhook_secret(endpoint: _Endpoint, service: Annotated[Caller, _owner(door)]) -> Response:
        """Make a new secret. For 24 hours every message is signed with the one before it as well."""
        if master is None:
            raise WebhooksOff
        told, version = await _done(door, service, partial(endpoints.rotate, door.database, endpoint))
        return answers.plain({"secret": _secret(master, told["id"], version=version), "endpoint": told})

    @own.post(
        "/{endpoint:uuid}/test",
        operation_id="test_webhook",
        summary="Send a test",
        status_code=HTTPStatus.ACCEPTED,
        responses={
            HTTPStatus.ACCEPTED.value: {"model": shapes.WebhookDelivery, "description": "It is on its way."},
            **problem.told(HTTPStatus.CONFLICT, *_ONE),
        },
    )
    async def test_webhook(endpoint: _Endpoint, service: Annotated[Caller, _owner(door)]) -> Response:
        """Have a message of kind `test` sent, whatever kinds the endpoint asks for."""
        told = await _done(door, service, partial(endpoints.test, door.database, endpoint))
        return answers.plain(told, status=HTTPStatus.ACCEPTED)


def _add_deliveries(own: APIRouter, door: Door) -> None:
    @own.get(
        "/{endpoint:uuid}/deliveries",
        operation_id="list_webhook_deliveries",
        summary="What was sent, waits, or never arrived",
        responses={**answers.shown(shapes.WebhookDeliveries), **problem.told(*_ONE)},
    )
    async def list_webhook_deliveries(
        request: Request,
        endpoint: _Endpoint,
        asked: Annotated[Asked, Query()],
        service: Annotated[Caller, _owner(door)],
    ) -> Response:
        """List an endpoint's deliveries in one state, newest first. What was sent is kept for some weeks."""
        key_id = _key_of(service)

        def ask() -> dict[str, Any]:
            with unit_of_work(door.database) as session:
                _found(queries.endpoint(session, endpoint, key_id=key_id))
                return queries.deliveries(
                    session, endpoint_id=endpoint, state=asked.state, limit=asked.limit, after=asked.after
                )

        return answers.tagged(request, await door.threads.run(ask))


def _add_resending(own: APIRouter, door: Door) -> None:
    @own.post(
        "/{endpoint:uuid}/deliveries/{delivery:uuid}/resend",
        operation_id="resend_webhook_delivery",
        summary="Send one again",
        status_code=HTTPStatus.ACCEPTED,
        responses={
            HTTPStatus.ACCEPTED.value: {"model": shapes.WebhookDelivery, "description": "It is on its way."},
            **problem.told(HTTPStatus.CONFLICT, *_ONE),
        },
    )
    async def resend_webhook_delivery(
        endpoint: _Endpoint,
        delivery: Annotated[UUID, Path(description="The delivery's id.")],
        service: Annotated[Caller, _owner(door)],
    ) -> Response:
        """Send a delivery again, under the same `webhook-id`, however it stands; it is tried as a new one is."""
        told = await _done(door, service, partial(endpoints.resend, door.database, endpoint, delivery))
        return answers.plain(told, status=HTTPStatus.ACCEPTED)

    @own.post(
        "/{endpoint:uuid}/resend",
        operation_id="resend_webhook_deliveries",
        summary="Send again what never arrived",
        status_code=HTTPStatus.ACCEPTED,
        responses={
            HTTPStatus.ACCEPTED.value: {"model": shapes.WebhookResent, "description": "They are on their way."},
            **problem.told(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, *_ONE),
        },
    )
    async def resend_webhook_deliveries(
        endpoint: _Endpoint, body: WebhookSpan, service: Annotated[Caller, _owner(door)]
    ) -> Response:
        """Send what is dead of the messages from one instant to before another again, the oldest 1000 of them."""
        first, last = body.ends
        order = partial(endpoints.resend_range, door.database, endpoint, first=first, last=last)
        told = await _done(door, service, order)
        return answers.plain(told, status=HTTPStatus.ACCEPTED)
