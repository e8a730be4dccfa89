"""How the audit asks a node and its API: HTTP and call-reads of its own, through the Clarity codec alone."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import requests

from registry.domain.errors import Unavailable
from registry.stacks import clarity
from registry.stacks.clarity import (
    Buffer,
    ContractPrincipal,
    List,
    NoneValue,
    Ok,
    Some,
    StandardPrincipal,
    StringAscii,
    Tuple,
    UInt,
    Value,
)

ANSWER_SECONDS = 20.0
LOGS_A_PAGE = 100
TRANSACTIONS_A_PAGE = 50


class ChainUnreadable(Unavailable):
    """The chain did not answer a question of the audit."""

    code = "chain_unreadable"
    sentence = "the chain could not be read: {question}: {reason}"


class Api:
    """One node with its API."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Give the sockets back."""
        self._session.close()

    def tip(self) -> str:
        """The newest block's index hash."""
        return str(self.get("/extended/v2/blocks?limit=1")["results"][0]["index_block_hash"])

    def holds(self, block: str) -> bool:
        """Whether the chain has this block, by its index block hash; one that a fork took back cannot be read at."""
        path = f"/extended/v2/blocks/0x{block.removeprefix('0x')}"
        try:
            answer = self._session.get(self._url + path, timeout=ANSWER_SECONDS)
        except requests.RequestException as error:
            raise ChainUnreadable(question=f"GET {path}", reason=str(error)) from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return False
        return bool(self.get(path).get("canonical", True))

    def call(self, contract: str, function: str, *arguments: Value, tip: str | None = None) -> Value:
        """Call a function that only reads, at a block or at the newest; an optional or a response is opened."""
        address, _, name = contract.partition(".")
        path = f"/v2/contracts/call-read/{address}/{name}/{function}" + ("" if tip is None else f"?tip={tip}")
        body = {"sender": address, "arguments": [f"0x{clarity.to_hex(value)}" for value in arguments]}
        answer = self._ask("POST", path, body)
        if not answer["okay"]:
            raise ChainUnreadable(question=path, reason=str(answer.get("cause")))
        value = clarity.from_hex(answer["result"])
        return value.value if isinstance(value, Ok | Some) else value

    def account(self, principal: str) -> Mapping[str, Any]:
        """An account's nonce, and its balance in hex."""
        return self.get(f"/v2/accounts/{principal}?proof=0")

    def logs(self, contract: str) -> Iterator[tuple[str, Tuple]]:
        """Everything that a contract printed, with the txid, newest first."""
        offset = 0
        while True:
            page = self.get(f"/extended/v2/smart-contracts/{contract}/logs?limit={LOGS_A_PAGE}&offset={offset}")
            for log in page["results"]:
                event = clarity.from_hex(log["contract_log"]["value"]["hex"])
                if isinstance(event, Tuple) and "event" in event:
                    yield str(log["tx_id"]).removeprefix("0x"), event
            offset += LOGS_A_PAGE
            if offset >= int(page["total"]):
                return

    def events(self, tx_id: str) -> Iterator[Mapping[str, Any]]:
        """What one mined transaction did, by the chain's own record."""
        return self._pages(f"/extended/v3/transactions/0x{tx_id}/events?limit={LOGS_A_PAGE}")

    def transactions(self, principal: str) -> Iterator[Mapping[str, Any]]:
        """What a principal sent or was touched by, mined, newest first."""
        path = f"/extended/v3/principals/{principal}/transactions?limit={TRANSACTIONS_A_PAGE}"
        return (each["transaction"] for each in self._pages(path))

    def get(self, path: str) -> dict[str, Any]:
        """Ask for a page."""
        return self._ask("GET", path, None)

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            page = self.get(path + cursor)
            yield from page["results"]
            following = page["cursor"]["next"]
            if following is None:
                return
            cursor = f"&cursor={following}"

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + path, json=body, timeout=ANSWER_SECONDS)
            answer.raise_for_status()
            fields: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise ChainUnreadable(question=f"{method} {path}", reason=str(error)) from error
        return fields


def uint(value: Value) -> int:
    """A uint's number."""
    if not isinstance(value, UInt):
        raise ChainUnreadable(question="a uint", reason=f"it is {value}")
    return value.value


def text(value: Value) -> str:
    """A text, a principal, or bytes in hex."""
    if isinstance(value, StringAscii):
        return value.value
    if isinstance(value, StandardPrincipal | ContractPrincipal):
        return str(value)
    if isinstance(value, Buffer):
        return value.value.hex()
    raise ChainUnreadable(question="a text", reason=f"it is {value}")


def fields_of(value: Value) -> Tuple:
    """A tuple, to be read by its keys."""
    if not isinstance(value, Tuple):
        raise ChainUnreadable(question="a tuple", reason=f"it is {value}")
    return value


def items_of(value: Value) -> Sequence[Value | NoneValue]:
    """A list's items."""
    if not isinstance(value, List):
        raise ChainUnreadable(question="a list", reason=f"it is {value}")
    return value.items
