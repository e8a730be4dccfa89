"""Streams: what happens, as it happens, without gap or repetition across breaks of the connection."""

import random
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import requests

from registry_client.errors import ApiUnavailable
from registry_client.pages import Noun
from registry_client.transport import at, error_of, read

OK = 200
SILENCE_SECONDS = 45.0
"""Three of the comments that the registry sends; one that is silent for longer is gone."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event: its name (`ready`, `policy` or `stats`), its data, and its place, by which a stream goes on."""

    name: str
    data: Any
    place: str | None


class Streams(Noun):
    """Streams of events. Each goes on by itself where it broke, for as long as it is read; close it to end it."""

    def stream_policies(
        self, *, policy: str | int | None = None, after: int | str | None = None
    ) -> Generator[Told, None, None]:
        """Be told of every edge that one's own policies walk (a service: all; or one `policy`'s), from `after` on.

        Raises:
            ApiRefused: one may not, or may no longer, be told; a stream that breaks is no error.
        """
        path = "/v1/streams/policies" if policy is None else at("streams", "policies", policy)
        return self._told(path, after=None if after is None else str(after))

    def stream_stats(self) -> Generator[Told, None, None]:
        """Be told the figures of all policies: as they stand, then whenever they change."""
        return self._told("/v1/streams/stats", after=None)

    def _told(self, path: str, *, after: str | None) -> Generator[Told, None, None]:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for event in self._once(path, after=after):
                    pause = FIRST_PAUSE_SECONDS
                    after = event.place or after
                    yield event
            except ApiUnavailable as error:
                pause = max(pause, float(error.figures.get("retry_after_seconds", 0)))
            time.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads callers in time
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _once(self, path: str, *, after: str | None) -> Generator[Told, None, None]:
        """Listen until the connection ends."""
        headers = {"Accept": "text/event-stream", **({} if after is None else {"Last-Event-ID": after})}
        sent = self._transport.send("GET", path, headers=headers, silence_seconds=SILENCE_SECONDS, is_stream=True)
        with sent as answer:
            if answer.status_code != OK:
                raise error_of(answer)
            try:
                yield from events(answer.iter_lines(chunk_size=None))
            except (requests.RequestException, OSError) as error:
                raise ApiUnavailable(f"the stream broke off: {type(error).__name__}", code="unreachable") from error


def events(lines: Iterable[bytes]) -> Generator[Told, None, None]:
    """Read lines of text/event-stream; an event that broke off before its blank line is none."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, said = line.decode().partition(":")
            fields.setdefault(name, []).append(said.removeprefix(" "))
            continue
        if "data" in fields:
            yield Told(
                name=fields.get("event", ["message"])[-1],
                data=read("\n".join(fields["data"])),
                place=fields["id"][-1] if "id" in fields else None,
            )
        fields = {}
