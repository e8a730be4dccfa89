"""What a devnet lets its operator do and no node does: coins out of nothing, blocks on demand, prices."""

from collections.abc import Mapping

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

    def reorganise(self, blocks: int) -> None:
        """Take back the newest Stacks blocks; their transactions wait again."""
        self._order("reorg", {"depth": blocks, "transactions": "keep"})

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
        try:
            answer = self._session.post(f"{self._url}/devnet/{order}", json=dict(values), timeout=ANSWER_SECONDS)
        except requests.RequestException as error:
            raise DevnetRefused(order=order, reason=type(error).__name__) from error
        if not answer.ok:
            raise DevnetRefused(order=order, reason=answer.text[:200])
