"""What a devnet lets its operator do and no node does: coins out of nothing, blocks on demand, prices, faults."""

from collections.abc import Mapping
from typing import Any

import requests

from registry.domain.errors import RegistryError
from registry.domain.units import MicroStx, Principal

ANSWER_SECONDS = 20.0


class DevnetRefused(RegistryError):
    """The devnet did not do what it was told."""

    code = "devnet_refused"
    sentence = "the devnet did not obey {order}: {reason}"
    remedy = "look at its log"


class Devnet:
    """The admin interface of a devnet."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def mint(self, recipient: Principal, amount: MicroStx) -> None:
        """Give an account STX."""
        self._order("mint", {"recipient": recipient, "amount": str(amount)})

    def mine(self) -> None:
        """Seal one Stacks block now; Bitcoin stands still."""
        self._order("mine", {"blocks": 1})

    def burn(self, blocks: int) -> None:
        """Let Bitcoin go on by some blocks, shown by one Stacks block."""
        self._order("burn", {"blocks": blocks})

    def tick(self, *, block_ms: int, burn_block_ms: int) -> None:
        """Make blocks by the clock from now on."""
        self._order("clock", {"block_ms": block_ms, "burn_block_ms": burn_block_ms})

    def pause(self) -> None:
        """Make no block by the clock until told to go on."""
        self._order("pause", {})

    def resume(self) -> None:
        """Make blocks by the clock again."""
        self._order("resume", {})

    def reorganise(self, blocks: int, *, transactions: str = "keep") -> None:
        """Take back the newest Stacks blocks; their transactions wait again, or with "drop" are gone."""
        self._order("reorg", {"depth": blocks, "transactions": transactions})

    def drop(self, tx_id: str, *, status: str = "dropped_stale_garbage_collect") -> None:
        """Let a transaction that waits be gone, for one of the API's reasons."""
        self._order("drop", {"txid": tx_id, "status": status})

    def age(self, minutes: int) -> None:
        """Let what waits grow older; what a node keeps no longer is dropped."""
        self._order("age", {"minutes": minutes})

    def set_faults(self, *rules: Mapping[str, object], seed: int = 1, lag: int = 0, unsynced: bool = False) -> None:
        """Let requests suffer by these rules and no others, or without any by none.

        devnet/README.md lists what a rule says.
        """
        told = {"seed": seed, "rules": [dict(rule) for rule in rules], "lag": lag, "unsynced": unsynced}
        self._order("faults", told)

    def faults(self) -> list[dict[str, Any]]:
        """Tell which rules there are and how often each has struck."""
        rules: list[dict[str, Any]] = self._ask("faults")["rules"]
        return rules

    def observe(self, *observers: Mapping[str, object]) -> None:
        """Post each new block to these and no others; devnet/README.md lists what an observer says."""
        self._order("observers", {"observers": [dict(observer) for observer in observers]})

    def set_prices(self, prices: Mapping[str, str]) -> None:
        """Trade at these prices everywhere, e.g. {"BTC/USD": "41000"}."""
        self._order("prices", prices)

    def take_down(self, *venues: str) -> None:
        """Let these venues answer nothing but 503."""
        self._order("venues", dict.fromkeys(venues, "down"))

    def bring_up(self, *venues: str) -> None:
        """Let these venues answer again."""
        self._order("venues", dict.fromkeys(venues, "ok"))

    def close(self) -> None:
        """Give the sockets back."""
        self._session.close()

    def _order(self, order: str, values: Mapping[str, object]) -> None:
        self._send("POST", order, json=dict(values))

    def _ask(self, question: str) -> dict[str, Any]:
        told: dict[str, Any] = self._send("GET", question).json()
        return told

    def _send(self, method: str, order: str, *, json: Mapping[str, object] | None = None) -> requests.Response:
        try:
            answer = self._session.request(method, f"{self._url}/devnet/{order}", json=json, timeout=ANSWER_SECONDS)
        except requests.RequestException as error:
            raise DevnetRefused(order=order, reason=type(error).__name__) from error
        if not answer.ok:
            raise DevnetRefused(order=order, reason=answer.text[:200])
        return answer
