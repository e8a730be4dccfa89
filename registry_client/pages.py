"""What the nouns of the client share: a transport, and lists that are gone through page by page."""

from collections.abc import Iterator
from typing import Any

from registry_client.transport import Transport


class Noun:
    """A part of the client."""

    _transport: Transport

    def _each(self, path: str, **query: object) -> Iterator[Any]:
        after: str | None = None
        while True:
            page = self._transport.get(path, **{**query, "after": after})
            yield from page["items"]
            after = page["next"]
            if after is None:
                return
