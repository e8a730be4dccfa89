"""A front door as a process that a test ends and starts again, on a stack whose blocks come by the clock."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.integration.chain import ROOT
from tests.integration.stack import until
from workers.demo.devnet import Devnet
from workers.demo.stack import Stack
from workers.local import inherited

START_SECONDS = 20.0
STOP_SECONDS = 10.0
ANSWER_SECONDS = 10.0
PLENTY = {f"REGISTRY_API_{each}_PER_MINUTE": "100000" for each in ("ANONYMOUS", "REQUESTS", "ACTIONS")}
"""Tests are hurried; what limits do is tested elsewhere."""


@dataclass
class Front:
    """The stack with a front door of its own port; its log grows over restarts."""

    stack: Stack
    devnet: Devnet
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "api", f"--port={self.port}"],
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, seconds=START_SECONDS)

    def fetch_prices(self) -> None:
        """Have the first price kept, by which the page knows what to propose."""
        asked = {
            "policy_type": "PUT",
            "protected_value_price_feed_units": "1",
            "protected_amount_sats": "1000000",
            "duration_days": 30,
            "premium_token": "STX",
        }
        answer = requests.post(f"{self.url}/v1/quotes/preview", json=asked, timeout=ANSWER_SECONDS)
        assert answer.json()["code"] == "outside_tiers", answer.text

    def kill(self) -> None:
        """End it as the machine's own end does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it as a supervisor does."""
        self._end(signal.SIGTERM)

    def price(self, usd: int) -> None:
        """Trade bitcoin at a price everywhere."""
        self.devnet.set_prices({"BTC/USD": str(usd)})

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, how)
        self.process.wait(timeout=STOP_SECONDS)
        self.process = None

    def _environment(self) -> Mapping[str, str]:
        return {**inherited(), **self.stack.environment(), **self.stack.door_environment(), **PLENTY}

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=ANSWER_SECONDS).ok
        except requests.RequestException:
            return False
