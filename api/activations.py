"""Activations: `POST /v1/policies/{policy}/activation` asks for the payout."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.actions import Actions, Operation
from api.caller import Caller
from api.creations import LATER, NOT_FOUND, REFUSALS
from api.door import Door
from api.idempotency import PARAMETERS, idempotency_key
from api.numbers import Count
from api.policy_names import PolicyName, policy_name
from registry.services.submissions import inner_key
from registry_client.answers import Activation


class PayoutAsked(BaseModel):
    """The least that the owner wants to be paid, in base units of the policy's token; less is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"min_payout_base_units": "1000000"}]})

    min_payout_base_units: Count | None = None


def router(door: Door) -> APIRouter:
    """Make the route."""
    own, actions = APIRouter(tags=["actions"]), Actions(door)

    @own.post(
        "/policies/{policy}/activation",
        summary="Ask for the payout",
        responses={200: {"model": Activation, "description": "Taken."}, **LATER, **REFUSALS, **NOT_FOUND},
        openapi_extra=PARAMETERS,
    )
    async def activate_policy(
        request: Request,
        policy: PolicyName,
        caller: Annotated[Caller, Depends(door.guard.holder)],
        key: Annotated[str, Depends(idempotency_key)],
        body: Annotated[PayoutAsked | None, Body()] = None,
    ) -> Response:
        """Have an Active policy decided by the first prices fetched after this request.

        In the money, the payout is pinned and the policy is Settling; else the request is refused and the policy stays
        Active. An `activation.state` of `open` means that it was taken and will be decided.
        """
        least = None if body is None else body.min_payout_base_units
        message = {
            "owner_principal": caller.principal,
            "policy_id": policy_name(policy),
            "idempotency_key": inner_key(Operation.ACTIVATE, key),
            **({} if least is None else {"min_payout_base_units": least}),
        }
        return await actions.do(request, caller, Operation.ACTIVATE, key=key, message=message)

    return own
