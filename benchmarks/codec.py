"""Calls of `update-policy-status` built, signed and encoded a second, here and with stacks.js.

The two take turns, a round each, so that whatever else the machine does slows both. What is printed is the median of
the rounds and the least and greatest of them. Both must end at the same txid.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from registry.stacks.clarity import ContractPrincipal, UInt
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wire import TESTNET, ContractCall, Transaction
from workers.embedded.node import find_node

ROUNDS = 11
CALLS = 4_000
STACKS_JS_CALLS = 300
WARM_UP = 300

PRIVATE_KEY = "753b7cc01a1a2e86221266a154af739463fce51219d97e4f856cd7200c3bd2a601"
CONTRACT = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM.policy-registry"
FUNCTION = "update-policy-status"

STACKS_JS = Path(__file__).with_suffix(".mjs")
PACKAGES = Path(__file__).parents[1] / "devnet" / "package.json"

AIM_A_SECOND = 4_000
AIM_RATIO = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Calls a second, and the txid of the last of them."""

    rate: float
    txid: str


def call(key: PrivateKey, nonce: int) -> tuple[bytes, str]:
    """From the text of a contract to the bytes and txid of a signed transaction, as the service does it."""
    payload = ContractCall(
        contract=ContractPrincipal.parse(CONTRACT), function=FUNCTION, arguments=(UInt(nonce), UInt(2))
    )
    origin = key.spend(nonce=nonce, fee=3000)
    signed = sign(Transaction(network=TESTNET, origin=origin, payload=payload), key)
    return signed.encode(), signed.txid


def measure_here(calls: int) -> Round:
    """One round of this codec."""
    key, txid = PrivateKey.from_hex(PRIVATE_KEY), ""
    start = time.perf_counter()
    for nonce in range(calls):
        _, txid = call(key, nonce)
    return Round(rate=calls / (time.perf_counter() - start), txid=txid)


class StacksJs:
    """A process of Node that measures a round whenever it is asked to."""

    def __init__(self) -> None:
        node = find_node()
        if node is None:
            sys.exit("there is no Node to measure stacks.js with; run: make setup")
        command = [*node.node, str(STACKS_JS), str(PACKAGES), PRIVATE_KEY, *CONTRACT.split("."), FUNCTION]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own command

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def measure(self, calls: int) -> Round:
        """One round of stacks.js."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("opened without pipes")
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit("stacks.js ended without an answer; run: make setup")
        return Round(**json.loads(line))


def spread(name: str, rates: list[float]) -> str:
    """A line of the report: median, least and greatest."""
    return f"{name:<12} {median(rates):>8,.0f} a second   ({min(rates):,.0f} to {max(rates):,.0f}, {len(rates)} rounds)"


def main() -> None:
    """Measure both by turns and print the medians and their ratio."""
    here: list[float] = []
    there: list[float] = []
    with StacksJs() as stacks_js:
        if measure_here(WARM_UP).txid != stacks_js.measure(WARM_UP).txid:
            sys.exit("the two do not make the same transaction")
        for _ in range(ROUNDS):
            here.append(measure_here(CALLS).rate)
            there.append(stacks_js.measure(STACKS_JS_CALLS).rate)
    print(f"{FUNCTION}: build, sign, encode and txid, one process each, by turns")
    print(spread("here", here), f"  aim: {AIM_A_SECOND:,}")
    print(spread("stacks.js", there))
    ratios = [ours / theirs for ours, theirs in zip(here, there, strict=True)]
    spread_of_ratios = f"{min(ratios):.1f} to {max(ratios):.1f}"
    print(f"{'ratio':<12} {median(ratios):>8.1f} round by round   ({spread_of_ratios})   aim: {AIM_RATIO}")


if __name__ == "__main__":
    main()
