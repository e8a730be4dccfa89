"""The workers of a test run: three Celery processes and beat, on the run's servers and a chain of their own."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from registry.domain.units import Token
from registry.stacks.signing import PrivateKey
from registry.stacks.wire import TESTNET
from registry.store.session import Database
from tests.integration.chain import Chain, new_key
from workers.client import RegistryClient

ANSWER_SECONDS = 20.0
LIFE_SECONDS = 60.0
STEP_SECONDS = 0.2


def until(reached: Callable[[], bool], *, meanwhile: Callable[[], object] | None = None, seconds: float) -> None:
    """Wait for a condition, with a limit; `meanwhile` is done between two looks."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not reached within {seconds} s"
        if meanwhile is not None:
            meanwhile()
        time.sleep(STEP_SECONDS)


def as_kept(policy: Mapping[str, object] | None) -> dict[str, Any]:
    """A policy without how deep it lies on the chain, which every block changes."""
    assert policy is not None
    return {name: value for name, value in policy.items() if name != "chain"}


@dataclass
class Stack:
    """What a test of the workers holds: a client, the chain, the database to look into."""

    client: RegistryClient
    chain: Chain
    database: Database
    environment: Mapping[str, str]

    def ask(self, task: str, message: Mapping[str, object]) -> Any:
        """Call a task and give its answer, or raise its refusal."""
        return self.client.send(task, message).answer()

    def wait_for(self, policy_id: str, status: str) -> dict[str, Any]:
        """Let blocks come until a policy has a status."""

        def reached() -> bool:
            found: dict[str, Any] = self.ask("policies.get_by_id", {"policy_id": policy_id})
            return bool(found["status_detailed"] == status)

        until(reached, meanwhile=self.chain.burn, seconds=LIFE_SECONDS)
        last: dict[str, Any] = self.ask("policies.get_by_id", {"policy_id": policy_id})
        return last


@dataclass
class Holder:
    """An owner with a wallet, as a service speaks for him."""

    stack: Stack
    wallet: PrivateKey = field(default_factory=new_key)

    @property
    def address(self) -> str:
        return self.wallet.address(TESTNET)

    def request(self, *, key: str | None = None, **changes: object) -> dict[str, Any]:
        """Ask for a policy."""
        message = {
            "owner_principal": self.address,
            "idempotency_key": key or str(uuid4()),
            "request": {
                "policy_type": "PUT",
                "protected_value_price_feed_units": 45_000 * 10**8,
                "protected_amount_sats": 1_000_000,
                "duration_days": 30,
                "premium_token": Token.STX.value,
                **changes,
            },
        }
        answer: dict[str, Any] = self.stack.ask("policies.request_creation", message)
        return answer

    def buy(self, **changes: Any) -> str:
        """Buy a policy and wait until it is Active."""
        answer = self.request(**changes)
        tx_id = self.stack.chain.buy(self.wallet, answer["wallet_payload"])
        policy_id: str = answer["policy"]["id"]
        told = {"owner_principal": self.address, "policy_id": policy_id, "tx_id": tx_id}
        self.stack.ask("policies.report_creation_tx", told)
        self.stack.wait_for(policy_id, "Active")
        return policy_id

    def activate(self, policy_id: str, **more: object) -> dict[str, Any]:
        """Ask for the payout."""
        message = {
            "owner_principal": self.address,
            "policy_id": policy_id,
            "idempotency_key": str(uuid4()),
            **more,
        }
        answer: dict[str, Any] = self.stack.ask("policies.request_activation", message)
        return answer
