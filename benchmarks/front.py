"""Reads over HTTP at a million policies: a page of an owner's, one policy, the stats; steadily, and all there can be.

The front door is a process of its own, as in production, and so is whoever asks; both share this machine. Each kind of
read takes its turn in each round. What is printed are medians over the rounds, with the least and greatest of them.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_urlsafe
from statistics import median

from benchmarks.parts import book
from benchmarks.parts.load import Order, Outcome, measure
from benchmarks.parts.servers import Servers, servers
from registry.domain.access import Scope
from registry.domain.push import PushSource
from registry.services import api_keys
from registry.store.session import unit_of_work
from workers import local
from workers.embedded.account import private_file

POLICIES = 1_000_000
ROUNDS = 5
RATE = 100.0
SECONDS = 10.0
AT_ONCE = 8
CONTRACT = "ST000000000000000000002AMW42H."
UNBOUNDED = str(10**9)
AIMS = {"list by owner": 15.0, "stats": 10.0}
"""Milliseconds for 95 of a hundred, at the steady rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One kind of read; every request asks for another owner or policy."""

    name: str
    paths: Sequence[str]


def reads(owners: Sequence[str], policies: Sequence[str]) -> list[Read]:
    """What is asked for."""
    return [
        Read(name="list by owner", paths=[f"/v1/policies?owner={each}&limit=20" for each in owners]),
        Read(name="get", paths=[f"/v1/policies/{each}" for each in policies]),
        Read(name="stats", paths=["/v1/stats"]),
    ]


def open_door(own: Servers, port: int) -> None:
    """Start the front door, with limits out of the way."""
    pushers = "".join(f"{source} {token_urlsafe(24)}\n" for source in PushSource)
    environment = {
        "REGISTRY_PUSH_SECRET_FILE": str(private_file(own.directory / "push-secrets", pushers)),
        "REGISTRY_DATABASE_URL": own.database_url,
        "REGISTRY_BROKER_URL": own.broker_url,
        "REGISTRY_STACKS_URL": "http://127.0.0.1:9",
        "REGISTRY_REGISTRY_CONTRACT": f"{CONTRACT}policy-registry",
        "REGISTRY_POOL_CONTRACT": f"{CONTRACT}liquidity-pool",
        "REGISTRY_SBTC_CONTRACT": f"{CONTRACT}sbtc-token",
        "REGISTRY_API_REQUESTS_PER_MINUTE": UNBOUNDED,
        "REGISTRY_API_ANONYMOUS_PER_MINUTE": UNBOUNDED,
    }
    own.supervisor.start(local.api(port=port, environment=environment))


def spread(name: str, values: Sequence[float], *, unit: str) -> str:
    """A figure of the report: the median of the rounds, the least and the greatest."""
    return f"{name} {median(values):,.1f} {unit} ({min(values):,.1f} to {max(values):,.1f})"


def report(read: Read, steady: Sequence[Outcome], most: Sequence[Outcome]) -> str:
    """A line for a kind of read."""
    figures = [spread(name, [getattr(each, name) for each in steady], unit="ms") for name in ("p50", "p95", "p99")]
    aim = AIMS.get(read.name)
    told = "" if aim is None else f"   aim: p95 {aim:g} ms"
    rate = spread("at most", [each.rate for each in most], unit="a second")
    failed = sum(each.failed for each in (*steady, *most))
    return f"{read.name:<14} {', '.join(figures)}{told}\n{'':<14} {rate}; {failed} failed"


def main() -> None:
    """Fill, measure by turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=POLICIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    with servers() as own:
        print(f"filling a database with {asked.policies:,} policies", flush=True)
        owners = book.fill(own.database, count=asked.policies, pool=f"{CONTRACT}liquidity-pool")
        with unit_of_work(own.database) as session:
            policies = book.policy_ids(session, limit=1000)
        made = api_keys.create(own.database, "benchmark", scopes=[Scope.READ], expires_at=None, now=datetime.now(UTC))
        port = own.ports.hold()
        open_door(own, port)
        kinds = reads(owners[:2000], policies)
        steady: dict[str, list[Outcome]] = {each.name: [] for each in kinds}
        most: dict[str, list[Outcome]] = {each.name: [] for each in kinds}
        for number in range(asked.rounds):
            print(f"round {number + 1} of {asked.rounds}", flush=True)
            for each in kinds:
                order = Order(
                    host="127.0.0.1",
                    port=port,
                    token=made["key"],
                    paths=each.paths,
                    rate=RATE,
                    seconds=asked.seconds,
                )
                steady[each.name].append(measure(order))
                most[each.name].append(measure(order.flat_out(connections=AT_ONCE, seconds=asked.seconds / 2)))
        print(
            f"{asked.policies:,} policies, {RATE:g} requests a second,"
            f" {asked.rounds} rounds of {asked.seconds:g} s each"
        )
        for each in kinds:
            print(report(each, steady[each.name], most[each.name]))
        print(json.dumps({"load average": os.getloadavg()}))


if __name__ == "__main__":
    main()
