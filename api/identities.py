"""Whose a token is: a holder's by his session, a service's by its key. Both are read from Postgres every time."""

import asyncio
from functools import partial
from uuid import UUID

import structlog

from api.caller import Caller
from api.problem import Problem, of_error
from api.threads import Threads
from registry.domain.access import NotLetIn, SignInOff
from registry.domain.errors import Unavailable
from registry.domain.token import Claims
from registry.services import api_keys, sign_in
from registry.services.sign_in import Entrance
from workers.runtime import Runtime

LOOK_UPS, LOOK_UP_SECONDS = 4, 5.0
NOTES = 1
_LOG = structlog.get_logger()


class Identities:
    """Knows every session and every key. What was taken back a moment ago is refused now: nothing is remembered."""

    def __init__(self, runtime: Runtime, entrance: Entrance | None) -> None:
        """Take the database and its clock, and what sessions are signed with; without it there are none."""
        self._runtime = runtime
        self._entrance = entrance
        # their own threads: slow questions of others must not keep anybody outside
        self._threads = Threads(most=LOOK_UPS, seconds=LOOK_UP_SECONDS)
        self._notes = Threads(most=NOTES, seconds=LOOK_UP_SECONDS)
        self._noting: dict[UUID, asyncio.Task[None]] = {}

    async def identify(self, token: str) -> Caller:
        """Answer who it is.

        Raises:
            Problem: 401, if the token is nobody's, has run out, or was taken back.
            Unavailable: the database does not answer, or nobody can sign in here.
        """
        look_up = self._service if token.startswith(api_keys.MARK) else self._holder
        try:
            return await look_up(token)
        except NotLetIn as refusal:
            _LOG.info("caller.refused", code=refusal.code)
            raise of_error(refusal) from None

    async def _holder(self, token: str) -> Caller:
        if self._entrance is None:
            raise SignInOff
        claims = await self._threads.run(partial(self._claims, self._entrance, token))
        return Caller(
            name=claims.principal,
            principal=claims.principal,
            session_id=claims.session_id,
            expires_at=claims.expires_at,
        )

    def _claims(self, entrance: Entrance, token: str) -> Claims:
        return sign_in.bearer(self._runtime.database, entrance, token, now=self._runtime.now())

    async def _service(self, key: str) -> Caller:
        known, is_due = await self._threads.run(partial(self._known, key))
        if is_due and known.id not in self._noting:
            self._noting[known.id] = asyncio.create_task(self._note(known.id))
        return Caller(
            name=f"{api_keys.MARK}{known.prefix}", key_id=known.id, scopes=known.scopes, expires_at=known.expires_at
        )

    def _known(self, key: str) -> tuple[api_keys.ServiceKey, bool]:
        """The key, and whether its last use was noted too long ago."""
        now = self._runtime.now()
        known = api_keys.bearer(self._runtime.database, key, now=now)
        return known, known.last_used_at is None or now - known.last_used_at >= api_keys.NOTED_EVERY

    async def _note(self, key_id: UUID) -> None:
        """Note a use beside the request, which neither waits for it nor fails with it."""
        try:
            await self._notes.run(partial(self._write, key_id))
        except (Unavailable, Problem):
            _LOG.warning("key.use_not_noted")
        finally:
            del self._noting[key_id]

    def _write(self, key_id: UUID) -> None:
        api_keys.note_use(self._runtime.database, key_id, now=self._runtime.now())
