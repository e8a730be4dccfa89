"""Every request under /v1 is counted, by whoever asks: he is found out here, once, and routes are told."""

from http import HTTPStatus

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import body, problem
from api.caller import Caller, Guard
from api.limits import Limits, Rates, Standing, headers, home_of
from api.problem import Problem
from registry.domain.errors import RegistryError

VERSIONED = "/v1/"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SIGN_IN = frozenset({"/v1/challenges", "/v1/sessions"})
NO_ACTION = frozenset({"/v1/quotes/preview"}) | SIGN_IN
"""What is posted and moves nothing."""


class Counted:
    """Refuses with 429 what is too much, before anything is read or asked for it."""

    def __init__(self, app: ASGIApp, *, guard: Guard, limits: Limits, rates: Rates) -> None:
        """Take whoever knows the callers, and the counts."""
        self._app = app
        self._guard = guard
        self._limits = limits
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(VERSIONED):
            await self._app(scope, receive, send)
            return
        standings = await self._count(scope)
        told = headers(standings)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        spent = [each for each in standings if not each.was_let_in]
        if spent:
            await problem.answer(_too_many(spent))(scope, receive, counted)
            return
        await self._app(scope, receive, counted)

    async def _count(self, scope: Scope) -> list[Standing]:
        home = home_of(scope["client"][0]) if scope.get("client") else "unknown"
        caller = await self._identified(scope, home)
        changes = scope["method"] not in SAFE
        rates = self._rates
        if changes and scope["path"] in SIGN_IN:
            counted = [(rates.sign_in, home)]
        elif caller is None:
            counted = [(rates.anonymous, home)]
        elif changes and scope["path"] not in NO_ACTION:
            counted = [(rates.requests, caller.name), (rates.actions, caller.name)]
        else:
            counted = [(rates.requests, caller.name)]
        return [await self._limits.take(rate, who) for rate, who in counted]

    async def _identified(self, scope: Scope, home: str) -> Caller | None:
        """Find out who asks; why nobody is known is kept for the route that needs to know."""
        scheme, token = get_authorization_scheme_param(Headers(scope=scope).get("authorization"))
        if scheme.lower() != "bearer" or not token:
            return None
        state = scope.setdefault("state", {})
        if not await self._limits.has_some_here(self._rates.unknown, home):
            # tokens are not tried out at the cost of the database
            state["refusal"] = _too_many_unknown(self._rates)
            return None
        try:
            state["caller"] = await self._guard.identify(token)
        except Problem as refusal:
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                await self._limits.take_here(self._rates.unknown, home)
            state["refusal"] = refusal
        except RegistryError as error:
            state["refusal"] = problem.of_error(error)
        caller: Caller | None = state.get("caller")
        return caller


def _too_many(spent: list[Standing]) -> Problem:
    worst = max(spent, key=lambda each: each.seconds)
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        code="rate_limited",
        detail=f"more than {worst.rate.per_minute} {worst.rate.name} a minute; ask again in {worst.seconds} s",
        headers={"Retry-After": str(worst.seconds), **body.CLOSE},
        figures={"rate": worst.rate.name, "per_minute": worst.rate.per_minute, "seconds": worst.seconds},
    )


def _too_many_unknown(rates: Rates) -> Problem:
    detail = f"more than {rates.unknown.per_minute} tokens a minute that nobody bears came from this address"
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        code="rate_limited",
        detail=f"{detail}; ask again later",
        headers={"Retry-After": "60"},
    )
