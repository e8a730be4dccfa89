"""Who asks: a holder by his session, a service by its key, or nobody; found out before a route runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problem import Problem
from registry.domain.access import NotLetIn, Scope
from registry.domain.errors import Unavailable
from registry.domain.units import Principal

BEARER = HTTPBearer(
    scheme_name="bearer",
    description="The token of a session (`POST /v1/sessions`), or a service's key (`prk_…`).",
    auto_error=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A holder has a principal and a session, a service a key with scopes; both are counted and logged by `name`.

    `expires_at` is the end of what was borne, not of its session.
    """

    name: str
    principal: Principal | None = None
    session_id: UUID | None = None
    key_id: UUID | None = None
    scopes: frozenset[Scope] = frozenset()
    expires_at: datetime | None = None

    def may_see(self, owner: str) -> bool:
        """Whether an owner's policies are this caller's to see."""
        return self.principal == owner or Scope.READ in self.scopes


class Identifier(Protocol):
    """Knows who bears a token."""

    async def identify(self, token: str) -> Caller:
        """Answer who it is.

        Raises:
            Problem: 401, if the token is nobody's, has run out, or was taken back.
        """
        ...


def unauthorized(*, code: str = "unauthorized", detail: str) -> Problem:
    """Say that nobody is known to ask, and how to become somebody."""
    return Problem(HTTPStatus.UNAUTHORIZED, code=code, detail=detail, headers={"WWW-Authenticate": "Bearer"})


def forbidden(*, code: str = "forbidden", detail: str) -> Problem:
    """Say that whoever asks may not."""
    return Problem(HTTPStatus.FORBIDDEN, code=code, detail=detail)


class Guard:
    """Dependencies of routes: each lets a caller in or answers in the route's place."""

    def __init__(self, identifier: Identifier) -> None:
        """Take whoever knows the tokens."""
        self._identifier = identifier

    async def identify(self, token: str) -> Caller:
        """Find out who bears a token; once a request, before routes are asked."""
        return await self._identifier.identify(token)

    async def knows(self, token: str) -> bool:
        """Whether a token that let somebody in still does; so it does while nobody can be asked."""
        try:
            await self.identify(token)
        except NotLetIn:
            return False
        except Problem as refusal:
            return refusal.status is not HTTPStatus.UNAUTHORIZED
        except Unavailable:
            return True
        return True

    async def caller(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> Caller:
        """Let in who is known: a holder or a service."""
        if credentials is None:
            raise unauthorized(detail="sign in with a wallet (POST /v1/challenges), or send a service's key")
        refusal: Problem | None = getattr(request.state, "refusal", None)
        if refusal is not None:
            raise refusal
        known: Caller | None = getattr(request.state, "caller", None)
        return known or await self.identify(credentials.credentials)

    async def holder(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> Caller:
        """Let in a holder: his principal is the session's and nothing that the request says."""
        known = await self.caller(request, credentials)
        if known.principal is None:
            raise forbidden(detail="this needs a session of a holder, not a service's key")
        return known

    def service(self, *scopes: Scope) -> Callable[..., Awaitable[Caller]]:
        """Let in a service whose key has one of these scopes."""
        needed = " or ".join(scopes)

        async def let_in(
            request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
        ) -> Caller:
            known = await self.caller(request, credentials)
            if not known.scopes.intersection(scopes):
                raise forbidden(detail=f"this needs a service's key with the scope {needed}")
            return known

        return let_in
