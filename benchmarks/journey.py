"""What holders wait for on the whole stack: a quote and its payload, and the word that a block has moved a policy.

Workers, database and chain are those of `make demo`, on this machine. Requests for a policy are made by several owners
at once. For the second figure blocks are made one by one: it counts from the order to make the block that confirms a
purchase until the event stands in the client's hands, the block's making included.
"""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

import requests

from benchmarks.parts.servers import room
from registry.stacks import messages
from registry.stacks.network import TESTNET
from registry.stacks.signing import PrivateKey
from registry_client.answers import PolicyRequest
from registry_client.http import PolicyRegistry
from workers import local
from workers.demo.devnet import Devnet
from workers.demo.stack import Stack, start
from workers.demo.wallets import new_key

OWNERS = 20
QUOTES_EACH = 3
AT_ONCE = 4
BLOCKS = 20
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.05
CONFIRMING = 2
"""Burn blocks after which a purchase counts."""
AIM_MS = 250
UNBOUNDED = {f"REGISTRY_API_{each}_PER_MINUTE": "1000000" for each in ("ANONYMOUS", "REQUESTS", "ACTIONS", "SIGN_IN")}
REQUEST: PolicyRequest = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": 45_000 * 10**8,
    "protected_amount_sats": 1_000_000,
    "duration_days": 30,
    "premium_token": "STX",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The stack, and a front door of the benchmark's own that counts nobody."""

    stack: Stack
    devnet: Devnet
    url: str


@contextmanager
def place() -> Iterator[Place]:
    """Start everything, to be thrown away."""
    with ExitStack() as held:
        supervisor, ports, _ = held.enter_context(room())
        stack = start(supervisor, ports, owners=(), tell=lambda _: None)
        port = ports.hold()
        environment = {**stack.environment(), **stack.door_environment(), **UNBOUNDED}
        supervisor.start(local.api(port=port, environment=environment))
        devnet = held.enter_context(closing(Devnet(stack.devnet_url)))
        yield Place(stack=stack, devnet=devnet, url=f"http://127.0.0.1:{port}")


def quotes_of(url: str) -> list[float]:
    """Sign in as somebody new and ask for policies; answer the seconds of each."""
    key = PrivateKey.from_hex(new_key())
    took = []
    with PolicyRegistry(url) as registry:
        registry.sign_in(str(key.address(TESTNET)), lambda text: messages.sign(text, key).hex())
        for _ in range(QUOTES_EACH):
            begun = time.perf_counter()
            registry.create_policy(REQUEST)
            took.append(time.perf_counter() - begun)
    return took


class Buyer:
    """An account of the devnet's wallet that buys, and hears of what it bought."""

    def __init__(self, own: Place) -> None:
        self._own = own
        self._wallet = f"{own.stack.devnet_url}/devnet/wallet"
        (first, *_) = requests.get(self._wallet, timeout=ANSWER_SECONDS).json()["accounts"]
        self._name: str = first["name"]
        self.registry = PolicyRegistry(own.url)
        signed_in = self.registry.sign_in(
            first["address"], lambda text: str(self._ask("stx_signMessage", message=text)["signature"])
        )
        self._token = signed_in["token"]

    def _ask(self, method: str, **params: object) -> dict[str, object]:
        told = {"method": method, "params": params, "account": self._name}
        answer = requests.post(self._wallet, json=told, timeout=ANSWER_SECONDS).json()
        given: dict[str, object] = answer["result"]
        return given

    def buy(self) -> str:
        """Have a purchase wait for its block."""
        asked = self.registry.create_policy(REQUEST)
        self._ask("stx_callContract", **asked["wallet_payload"])
        return asked["policy"]["id"]

    def _await_its_block(self, policy_id: str) -> None:
        end = time.monotonic() + ANSWER_SECONDS
        while self.registry.get_policy(policy_id)["chain"]["purchase"] is None:
            if time.monotonic() > end:
                raise TimeoutError(f"no block holds the purchase of {policy_id}")
            time.sleep(LOOK_SECONDS)

    def confirmed(self) -> float:
        """Buy, and answer the seconds from the order of the block that confirms it to the event."""
        policy_id, heard = self.buy(), threading.Event()
        moments = list[float]()

        def listen() -> None:
            with PolicyRegistry(self._own.url, token=self._token) as registry:
                for event in registry.stream_policies(policy=policy_id):
                    if event.name == "ready":
                        heard.set()
                    elif event.data["to"] == "Active":
                        moments.append(time.perf_counter())
                        return

        listening = threading.Thread(target=listen)
        listening.start()
        if not heard.wait(ANSWER_SECONDS):
            raise TimeoutError("no stream was opened")
        self._own.devnet.mine()
        self._await_its_block(policy_id)
        begun = time.perf_counter()
        self._own.devnet.burn(CONFIRMING)
        listening.join(ANSWER_SECONDS)
        if not moments:
            raise TimeoutError(f"policy {policy_id} did not become Active")
        return moments[0] - begun


def told(name: str, seconds: Sequence[float], *, aim: str = "") -> str:
    """A line of the report."""
    hundredths = [1000 * each for each in quantiles(seconds, n=100, method="inclusive")]
    spread = f"{1000 * min(seconds):,.0f} to {1000 * max(seconds):,.0f}, {len(seconds)} times"
    return f"{name:<22} p50 {hundredths[49]:,.0f} ms, p95 {hundredths[94]:,.0f} ms   ({spread}){aim}"


def main() -> None:
    """Measure both, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owners", type=int, default=OWNERS)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    asked = parser.parse_args()
    print("the stack starts", flush=True)
    with place() as own, ThreadPoolExecutor(AT_ONCE) as threads:
        begun = time.perf_counter()
        each = list(threads.map(quotes_of, [own.url] * asked.owners))
        whole = time.perf_counter() - begun
        took = [seconds for owner in each for seconds in owner]
        print(told("request to payload", took))
        print(
            f"{'':<22} {len(took) / whole:.1f} a second, {AT_ONCE} at once; median of an owner's medians "
            f"{1000 * median(median(owner) for owner in each):,.0f} ms",
            flush=True,
        )
        own.devnet.pause()
        buyer = Buyer(own)
        with closing(buyer.registry):
            print(
                told("block to event", [buyer.confirmed() for _ in range(asked.blocks)], aim=f"   aim: p95 {AIM_MS} ms")
            )


if __name__ == "__main__":
    main()
