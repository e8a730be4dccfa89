"""Requests at a steady rate, or as many as there can be, from a process of its own; and what came of them.

At a steady rate each request has its moment, whatever became of the one before: what waits for its turn is counted as
waiting. Every connection is kept open.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from statistics import quantiles

CONNECTIONS = 16
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked: paths by turns, `rate` a second or, with 0, one after the other on `connections`."""

    host: str
    port: int
    token: str | None
    paths: Sequence[str]
    rate: float
    seconds: float
    connections: int = CONNECTIONS

    def flat_out(self, *, connections: int, seconds: float) -> "Order":
        """The same, one request after the other on each of so many connections."""
        return replace(self, rate=0.0, connections=connections, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How many were answered with 200 and how many otherwise, how many a second, and milliseconds by hundredth."""

    answered: int
    failed: int
    rate: float
    p50: float
    p95: float
    p99: float


def measure(order: Order) -> Outcome:
    """Carry an order out in a process of its own, so that what asks and what answers are scheduled apart."""
    given = json.dumps({name: getattr(order, name) for name in Order.__slots__})
    done = subprocess.run([sys.executable, "-m", __name__], input=given, capture_output=True, text=True, check=True)  # noqa: S603 - this very file
    return Outcome(**json.loads(done.stdout))


class _Run:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.headers = {} if order.token is None else {"Authorization": f"Bearer {order.token}"}
        self.turns = SimpleQueue[float | None]()
        self.took = list[float]()
        self.failed = 0

    def ask(self) -> None:
        order = self.order
        connection = http.client.HTTPConnection(order.host, order.port, timeout=30)
        number = 0
        while (due := self.turns.get()) is not None:
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            begun = due if order.rate else time.perf_counter()
            number += 1
            path = order.paths[hash((due, number)) % len(order.paths)]
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            self.took.append(time.perf_counter() - begun)
            self.failed += answer.status != http.HTTPStatus.OK
        connection.close()

    def go(self) -> Outcome:
        order = self.order
        threads = [threading.Thread(target=self.ask) for _ in range(order.connections)]
        start = time.perf_counter() + 0.2
        for thread in threads:
            thread.start()
        if order.rate:
            for number in range(round(order.rate * order.seconds)):
                self.turns.put(start + number / order.rate)
        else:
            while time.perf_counter() < start + order.seconds:
                if self.turns.qsize() < order.connections:
                    self.turns.put(0.0)
                else:
                    time.sleep(0.001)
        for _ in threads:
            self.turns.put(None)
        for thread in threads:
            thread.join()
        whole = time.perf_counter() - start
        hundredths = [1000 * each for each in quantiles(self.took, n=HUNDREDTHS)]
        return Outcome(
            answered=len(self.took) - self.failed,
            failed=self.failed,
            rate=len(self.took) / whole,
            p50=hundredths[49],
            p95=hundredths[94],
            p99=hundredths[98],
        )


def main() -> None:
    """Carry out the order on stdin, and print what came of it."""
    outcome = _Run(Order(**json.load(sys.stdin))).go()
    print(json.dumps({name: getattr(outcome, name) for name in Outcome.__slots__}))


if __name__ == "__main__":
    main()
