"""Creations: `POST /v1/policies` asks for a quote; its purchase is reported, or the quote is cancelled."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api import problem
from api.actions import Actions, Operation
from api.caller import Caller
from api.door import Door
from api.idempotency import PARAMETERS, idempotency_key
from api.numbers import Count
from api.policy_names import PolicyName, policy_name
from registry.domain.request import CreationRequest
from registry.services.submissions import inner_key
from registry_client.answers import Creation, Reported, Submission

REFUSALS = problem.told(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
NOT_FOUND = problem.told(HTTPStatus.NOT_FOUND)
LATER: dict[int | str, dict[str, Any]] = {202: {"model": Submission, "description": "Not over yet; look at Location."}}
TX_ID = r"^(0x)?[0-9a-fA-F]{64}$"


class PolicyAsked(BaseModel):
    """A put: strike in USD × 10^8, amount in sats. Its owner is who signed in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "policy_type": "PUT",
                    "protected_value_price_feed_units": "4500000000000",
                    "protected_amount_sats": "10000000",
                    "duration_days": 30,
                    "premium_token": "STX",
                }
            ]
        },
    )

    policy_type: Literal["PUT"]
    protected_value_price_feed_units: Count
    protected_amount_sats: Count
    duration_days: Count
    premium_token: Literal["STX", "sBTC"]
    exercise_style: Literal["american", "european"] = "american"
    settlement_token: Literal["STX", "sBTC"] | None = Field(
        default=None, description="None but `premium_token`: a policy is paid out in what it was paid for in."
    )

    def request(self) -> CreationRequest:
        """Read it as the registry does; what cannot be sold at all is `BadRequest`."""
        return CreationRequest.from_json(self.model_dump(exclude_none=True))


class PurchaseReported(BaseModel):
    """The transaction that the owner's wallet sent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tx_id": f"0x{'ab' * 32}"}]})

    tx_id: str = Field(pattern=TX_ID)


def router(door: Door) -> APIRouter:
    """Make the routes."""
    own, actions = APIRouter(tags=["actions"]), Actions(door)
    holder = Annotated[Caller, Depends(door.guard.holder)]
    named = Annotated[str, Depends(idempotency_key)]

    @own.post(
        "/policies",
        status_code=HTTPStatus.CREATED,
        summary="Ask for a policy",
        responses={201: {"model": Creation, "description": "Quoted, and ready to sign."}, **LATER, **REFUSALS},
        openapi_extra=PARAMETERS,
    )
    async def create_policy(
        request: Request, caller: holder, key: named, body: Annotated[PolicyAsked, Body()]
    ) -> Response:
        """Quote a policy, reserve its collateral, and make what the holder's wallet signs.

        The quote may be bought up to `valid_until_height`. A refusal stays one under its key: try again under another.
        """
        message = {
            "owner_principal": caller.principal,
            "idempotency_key": inner_key(Operation.CREATE, key),
            "request": body.request().to_json(),
        }
        return await actions.do(request, caller, Operation.CREATE, key=key, message=message)

    @own.post(
        "/policies/{policy}/purchase",
        summary="Report a purchase",
        responses={200: {"model": Reported, "description": "Noted."}, **LATER, **REFUSALS, **NOT_FOUND},
        openapi_extra=PARAMETERS,
    )
    async def report_purchase(
        request: Request, policy: PolicyName, caller: holder, key: named, body: Annotated[PurchaseReported, Body()]
    ) -> Response:
        """Tell which transaction the wallet sent: a hint, and no proof; the chain is followed without it too."""
        message = {
            "owner_principal": caller.principal,
            "policy_id": policy_name(policy),
            "tx_id": body.tx_id.removeprefix("0x").lower(),
        }
        return await actions.do(request, caller, Operation.PURCHASE, key=key, message=message)

    @own.post(
        "/policies/{policy}/cancellation",
        summary="Cancel a quote",
        responses={200: {"model": Reported, "description": "Noted."}, **LATER, **REFUSALS, **NOT_FOUND},
        openapi_extra=PARAMETERS,
    )
    async def cancel_quote(request: Request, policy: PolicyName, caller: holder, key: named) -> Response:
        """Say that a quote will not be bought.

        What was signed cannot be called back: up to `purchasable_until_height` a block may still hold the purchase, and
        the policy is then Active. So its collateral stays reserved, and the quote counts as open, until that height.
        """
        message = {"owner_principal": caller.principal, "policy_id": policy_name(policy), "declined": True}
        return await actions.do(request, caller, Operation.CANCEL, key=key, message=message)

    return own
