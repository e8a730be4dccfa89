"""Policies: `GET /v1/policies…`, in pages and one by one, and all that happened to one; a tier's."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api import answers, problem
from api.actions import Operation
from api.caller import Caller
from api.creations import TX_ID
from api.door import Door
from api.policy_names import PolicyName
from api.terms import LISTING, Address, Height, Hours, Listed, Nothing, Paged, owner_for
from registry.domain.access import Scope
from registry.domain.errors import BadRequest, PolicyNotFound
from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Principal, TxId
from registry.queries import pages
from registry.queries.history import Sight
from registry.queries.search import Direction, Filter, Order, Sort
from registry.services.submissions import inner_key
from registry_client.answers import Page, Policy
from registry_client.history_answers import History

OF_ONE = (*LISTING, HTTPStatus.NOT_FOUND)
SOONEST = Order(sort=Sort.EXPIRATION_HEIGHT, direction=Direction.ASC)
OLDEST = Order(direction=Direction.ASC)


class OfOne(BaseModel):
    """How one policy is shown."""

    model_config = ConfigDict(extra="forbid")

    as_of_height: Height | None = Field(
        default=None, description="The policy as it stood when this was the newest burn height."
    )


class Named(BaseModel):
    """What names policies; exactly one of the three."""

    model_config = ConfigDict(extra="forbid")

    tx_id: str | None = Field(
        default=None,
        pattern=TX_ID,
        description="A transaction that bought or ended them, that its owner told of, or that we signed.",
    )
    quote_id: str | None = Field(default=None, pattern=r"^(0x)?[0-9a-fA-F]{32}$", examples=["00" * 16])
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=200)
    owner: Address | None = Field(default=None, description="Whose key it is, where a service asks by it.")


class Expiring(Paged):
    """Between which heights, both included, or within how many hours; at least one of them."""

    owner: Address | None = None
    min_height: Height | None = None
    max_height: Height | None = None
    within_hours: Hours | None = None


def router(door: Door) -> APIRouter:
    """Make the routes."""
    own = APIRouter(tags=["policies"])
    _add_lists(own, door)
    _add_single(own, door)
    return own


def _add_lists(own: APIRouter, door: Door) -> None:
    Known = Annotated[Caller, Depends(door.guard.caller)]  # noqa: N806 - a type
    Sells = Annotated[Caller, Depends(door.guard.service(Scope.POOL))]  # noqa: N806 - as above
    told = {**answers.shown(Page), **problem.told(*LISTING)}

    @own.get("/policies", operation_id="list_policies", summary="List policies", responses=told)
    async def list_policies(request: Request, caller: Known, query: Annotated[Listed, Query()]) -> Response:
        """Policies that all terms hold of: a holder's own, or anybody's for a service with the scope `read`.

        With `as_of_height`, those that there were then, each as it stood; other terms than the status are as of now.
        """
        return await _page(door, request, query.wanted(caller), query.order, query, height=query.as_of_height)

    @own.get("/policies/expiring", operation_id="list_expiring", summary="List what runs out", responses=told)
    async def list_expiring(request: Request, caller: Known, query: Annotated[Expiring, Query()]) -> Response:
        """Active policies that run out between two burn heights, or within hours by their estimate, soonest first."""
        if query.min_height is query.max_height is query.within_hours is None:
            raise BadRequest(field="min_height", reason="neither a height nor within_hours is given")
        wanted = Filter(
            owner=owner_for(caller, query.owner),
            statuses=(PolicyStatus.ACTIVE,),
            expiration_min=_height(query.min_height),
            expiration_max=_height(query.max_height),
            expiring_within_hours=query.within_hours,
        )
        return await _page(door, request, wanted, SOONEST, query)

    @own.get("/tiers/{tier}/policies", operation_id="list_active_by_tier", summary="List a tier's", responses=told)
    async def list_active_by_tier(
        request: Request, tier: RiskTier, _: Sells, query: Annotated[Paged, Query()]
    ) -> Response:
        """The Active policies of a tier, oldest first, for a service with the scope `pool`."""
        wanted = Filter(statuses=(PolicyStatus.ACTIVE,), tiers=(tier,))
        return await _page(door, request, wanted, OLDEST, query)


def _add_single(own: APIRouter, door: Door) -> None:
    Known = Annotated[Caller, Depends(door.guard.caller)]  # noqa: N806 - a type

    @own.get(
        "/policies/lookup",
        operation_id="look_up_policies",
        summary="Find policies by an identifier",
        responses={**answers.shown(Page), **problem.told(*OF_ONE)},
    )
    async def look_up_policies(request: Request, caller: Known, query: Annotated[Named, Query()]) -> Response:
        """The policies that a transaction has to do with, or the one of a quote or of an idempotency key.

        A transaction of ours may end many; `next` is always null.
        """
        ask = partial(_NAMES[_only(query)], door, query, owner_for(caller, query.owner))
        found: dict[str, Any] = await door.threads.run(ask)
        if not found["items"]:
            raise PolicyNotFound(owner=caller.name, policy=f"of this {_only(query)}")
        return answers.tagged(request, found)

    @own.get(
        "/policies/{policy}",
        operation_id="get_policy",
        summary="Get a policy",
        responses={**answers.shown(Policy), **problem.told(*OF_ONE)},
    )
    async def get_policy(
        request: Request, policy: PolicyName, caller: Known, query: Annotated[OfOne, Query()]
    ) -> Response:
        """One policy, with how deep its purchase and its end lie in `chain`.

        With `as_of_height` as it stood just before the block behind that height was applied, with the edges that it
        had walked, and without `chain`. What later edges wrote is null. A height that has not come, or that passed
        before its time was kept, is 422 `height_not_kept`.
        """
        whose = owner_for(caller, None)
        height = _height(query.as_of_height)
        if height is None:
            ask = partial(pages.one, door.database, policy, owner=whose, depths=door.settings.depths)
        else:
            then = partial(pages.one_as_of, door.database, door.runtime.contracts, policy, sight=_sight(caller))
            ask = partial(then, owner=whose, height=height)
        return _found(request, await door.threads.run(ask), caller, policy)

    @own.get(
        "/policies/{policy}/timeline",
        operation_id="get_policy_timeline",
        summary="Get all that happened to a policy",
        responses={**answers.shown(History), **problem.told(*OF_ONE)},
    )
    async def get_policy_timeline(
        request: Request, policy: PolicyName, caller: Known, _: Annotated[Nothing, Query()]
    ) -> Response:
        """Each edge, request, decision, transaction of ours and block of one policy, oldest first, and its parts.

        Who of the operators decided something by hand, and why, is told to a service with the scope `operator` alone.
        """
        whose = owner_for(caller, None)
        ask = partial(pages.timeline, door.database, policy, owner=whose, sight=_sight(caller))
        return _found(request, await door.threads.run(partial(ask, depths=door.settings.depths)), caller, policy)


async def _page(
    door: Door, request: Request, wanted: Filter, order: Order, paged: Paged, *, height: int | None = None
) -> Response:
    def ask() -> dict[str, Any]:
        return pages.page(
            door.database,
            door.runtime.contracts,
            wanted,
            order,
            limit=paged.limit,
            after=paged.after,
            height=_height(height),
            now=door.runtime.now(),
        )

    return answers.tagged(request, await door.threads.run(ask))


def _found(request: Request, found: dict[str, Any] | None, caller: Caller, policy: str) -> Response:
    if found is None:
        # another owner's looks the same
        raise PolicyNotFound(owner=caller.name, policy=policy)
    return answers.tagged(request, found)


def _only(named: Named) -> str:
    """The one identifier that is given."""
    given = [name for name in _NAMES if getattr(named, name) is not None]
    if len(given) != 1:
        raise BadRequest(field="tx_id", reason=f"exactly one of {', '.join(_NAMES)} must be given")
    return given[0]


def _by_transaction(door: Door, named: Named, owner: Principal | None) -> dict[str, Any]:
    tx_id = TxId(str(named.tx_id).removeprefix("0x").lower())
    return pages.of_transaction(door.database, tx_id, owner=owner)


def _by_quote(door: Door, named: Named, owner: Principal | None) -> dict[str, Any]:
    return pages.of_quote(door.database, bytes.fromhex(str(named.quote_id).removeprefix("0x")), owner=owner)


def _by_key(door: Door, named: Named, owner: Principal | None) -> dict[str, Any]:
    if owner is None:
        raise BadRequest(field="owner", reason="an idempotency key is one owner's, so he must be named")
    key = str(named.idempotency_key)
    return pages.of_idempotency_keys(door.database, (key, inner_key(Operation.CREATE, key)), owner=owner)


_NAMES = {"tx_id": _by_transaction, "quote_id": _by_quote, "idempotency_key": _by_key}


def _sight(caller: Caller) -> Sight:
    return Sight.OPERATOR if Scope.OPERATOR in caller.scopes else Sight.OUTSIDE


def _height(value: int | None) -> BurnHeight | None:
    return None if value is None else BurnHeight(value)
