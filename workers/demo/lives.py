"""The lives of the demo's policies, as their owners see them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.domain.errors import RegistryError
from registry.domain.policy import PolicyStatus
from workers.demo.plans import Part, Plan
from workers.demo.wallets import Wallet

ENDS = frozenset(
    {
        PolicyStatus.SETTLED,
        PolicyStatus.EXPIRED,
        PolicyStatus.FAILED_CREATION,
        PolicyStatus.FAILED_SETTLEMENT,
        PolicyStatus.FAILED_EXPIRATION,
        PolicyStatus.QUARANTINED,
    }
)
"""Where the demo's policies stay, unless something that it shows brings them on."""

_SHOWN = (
    "id",
    "policy_id_on_chain",
    "status_detailed",
    "status_on_chain",
    "risk_tier",
    "premium_token",
    "premium_amount_base_units",
    "settlement_amount_base_units",
    "tx_id_creation",
    "tx_id_status_update",
    "owner_principal",
    "exercise_style",
    "protected_value_price_feed_units",
    "protected_amount_sats",
    "expiration_height",
)


class LifeWentWrong(RegistryError):
    """A policy took another way than the demo's."""

    code = "life_went_wrong"
    sentence = "the policy {name} ({policy}) is {status} and was to become {wanted}"
    remedy = "look at the workers' logs in {directory}"


@dataclass(slots=True, kw_only=True)
class Life:
    """One policy, as its owner sees it: the row as last asked for, and how long each step took."""

    plan: Plan
    owner: Wallet
    policy: Mapping[str, Any] = field(default_factory=dict)
    wallet_payload: Mapping[str, Any] = field(default_factory=dict)
    max_payout: int | None = None
    steps: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """Our UUID of it, once it is recorded."""
        return self.policy.get("id")

    @property
    def status(self) -> str:
        """`status_detailed`, or what comes before it."""
        return str(self.policy.get("status_detailed", "not yet"))

    @property
    def is_over(self) -> bool:
        """Whether it has ended as it was to."""
        return self.status == self.plan.ending

    @property
    def is_capped(self) -> bool:
        """Whether it was paid all the collateral that it had."""
        paid = self.policy.get("settlement_amount_base_units")
        return paid is not None and paid == self.max_payout

    def begin(self, step: str) -> None:
        """Start the clock of a step."""
        self._begun[step] = time.monotonic()

    def end(self, step: str) -> None:
        """Stop the clock of a step."""
        self.steps[step] = time.monotonic() - self._begun.pop(step)

    def to_json(self) -> dict[str, Any]:
        """Describe how it ended."""
        return {
            "name": self.plan.name,
            **{name: self.policy.get(name) for name in _SHOWN},
            "capped": self.is_capped,
            "seconds": {step: round(seconds, 2) for step, seconds in self.steps.items()},
        }


def playing(lives: Sequence[Life], *parts: Part) -> list[Life]:
    """Those whose owners do one of these things."""
    return [life for life in lives if life.plan.part in parts]
