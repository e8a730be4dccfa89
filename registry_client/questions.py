"""What may be asked: policies as they stand and stood, the pool, the figures of all, exports."""

from collections.abc import Iterator
from typing import Any, TypedDict, Unpack, cast

from registry_client.answers import Page, Policy, PoolState, Stats, StatsHistory, StatsOfHour
from registry_client.errors import ApiUnavailable
from registry_client.history_answers import History
from registry_client.pages import Noun
from registry_client.transport import at, error_of, read

OK = 200


class Terms(TypedDict, total=False):
    """What must hold of each policy; several values of one kind are alternatives, ranges include both ends."""

    owner: str
    counterparty: str
    status: list[str]
    policy_type: str
    tier: list[str]
    token: list[str]
    exercise_style: str
    strike_min: int
    strike_max: int
    amount_min: int
    amount_max: int
    expiration_min: int
    expiration_max: int
    expiring_within_blocks: int
    expiring_within_hours: int
    created_from: str
    created_to: str
    sort: str
    direction: str


class Listing(Terms, total=False):
    """A page of what is looked for; `as_of_height` shows it as it stood when that was the newest burn height."""

    limit: int
    after: str
    as_of_height: int


class Expiring(TypedDict, total=False):
    """Between which heights, ends included, or within how many hours; `owner` is for services."""

    owner: str
    min_height: int
    max_height: int
    within_hours: int


class Questions(Noun):
    """Questions. A holder is shown what is his, a service what its key's scopes allow."""

    def list_policies(self, **terms: Unpack[Listing]) -> Page:
        """Ask for a page of policies."""
        return cast("Page", self._transport.get("/v1/policies", **terms))

    def each_policy(self, **terms: Unpack[Listing]) -> Iterator[Policy]:
        """Go through policies, page by page; `limit` is the length of a page."""
        yield from self._each("/v1/policies", **terms)

    def get_policy(self, policy: str | int, *, as_of_height: int | None = None) -> Policy:
        """Ask for one policy, by the registry's UUID or its on-chain id."""
        return cast("Policy", self._transport.get(at("policies", policy), as_of_height=as_of_height))

    def get_timeline(self, policy: str | int) -> History:
        """Ask for all that happened to a policy."""
        return cast("History", self._transport.get(at("policies", policy, "timeline")))

    def look_up_policies(
        self,
        *,
        tx_id: str | None = None,
        quote_id: str | None = None,
        idempotency_key: str | None = None,
        owner: str | None = None,
    ) -> Page:
        """Find policies by exactly one of the three; whose key it is, a service says by `owner`."""
        named = {"tx_id": tx_id, "quote_id": quote_id, "idempotency_key": idempotency_key, "owner": owner}
        return cast("Page", self._transport.get("/v1/policies/lookup", **named))

    def each_expiring(self, *, page_size: int | None = None, **when: Unpack[Expiring]) -> Iterator[Policy]:
        """Go through the Active policies that run out then, soonest first."""
        yield from self._each("/v1/policies/expiring", limit=page_size, **when)

    def each_active_by_tier(self, tier: str, *, page_size: int | None = None) -> Iterator[Policy]:
        """Go through a tier's Active policies, oldest first."""
        yield from self._each(at("tiers", tier, "policies"), limit=page_size)

    def get_pool(self) -> PoolState:
        """Ask what the pool holds, what of it is locked, and what each tier can still sell."""
        return cast("PoolState", self._transport.get("/v1/pool"))

    def get_stats(self) -> Stats:
        """Ask for the counts and sums over all policies; nobody need sign in."""
        return cast("Stats", self._transport.get("/v1/stats"))

    def get_stats_history(
        self, *, since: str | None = None, to: str | None = None, limit: int | None = None, after: str | None = None
    ) -> StatsHistory:
        """Ask for a page of what the figures were at the end of each hour."""
        query = {"from": since, "to": to, "limit": limit, "after": after}
        return cast("StatsHistory", self._transport.get("/v1/stats/history", **query))

    def each_hour(self, *, since: str | None = None, to: str | None = None) -> Iterator[StatsOfHour]:
        """Go through what the figures were at the end of each hour."""
        yield from self._each("/v1/stats/history", **{"from": since, "to": to})

    def export_csv(self, **terms: Unpack[Terms]) -> Iterator[bytes]:
        """Take all policies that are looked for as CSV, in parts as they come."""
        yield from self._parts("/v1/exports/policies.csv", terms)

    def export_policies(self, **terms: Unpack[Terms]) -> Iterator[Policy]:
        """Take all policies that are looked for, as they come.

        Raises:
            ApiUnavailable: it broke off; what came until then is right, and not all.
        """
        rest = b""
        for part in self._parts("/v1/exports/policies.jsonl", terms):
            *lines, rest = (rest + part).split(b"\n")
            yield from (cast("Policy", read(line)) for line in lines if line)
        if rest:
            yield cast("Policy", read(rest))

    def get_health(self) -> dict[str, Any]:
        """Ask whether the process serves."""
        return cast("dict[str, Any]", self._transport.get("/health"))

    def _parts(self, path: str, query: Terms) -> Iterator[bytes]:
        with self._transport.send("GET", path, query=cast("dict[str, object]", query), is_stream=True) as answer:
            if answer.status_code != OK:
                raise error_of(answer)
            try:
                yield from answer.iter_content(None)
            except OSError as error:
                raise ApiUnavailable(f"the export broke off: {type(error).__name__}", code="unreachable") from error
