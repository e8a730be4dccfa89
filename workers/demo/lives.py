"""The policies of the demo: what each is to live through, and what has become of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from registry.domain.errors import RegistryError
from registry.domain.policy import PolicyStatus
from registry.domain.units import SATS_PER_BTC, USD8, Sats, Token, Usd8
from workers.answers import PolicyRequest
from workers.demo.wallets import Wallet

PRICE_BEFORE: Mapping[str, str] = {"BTC/USD": "50000", "STX/USD": "2"}
PRICE_AFTER: Mapping[str, str] = {"BTC/USD": "41000", "STX/USD": "1.7"}
"""Below the strikes of those who ask to be paid, above that of the policy that is to run out."""


class Ending(StrEnum):
    """How a policy of the demo is to end."""

    SETTLED = PolicyStatus.SETTLED.value
    EXPIRED = PolicyStatus.EXPIRED.value
    NEVER_SIGNED = PolicyStatus.FAILED_CREATION.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A policy that will be asked for, and how it is to end."""

    name: str
    strike: Usd8
    amount: Sats
    days: int
    token: Token
    ending: Ending

    def request(self) -> PolicyRequest:
        """Say it as `policies.request_creation` wants it."""
        return {
            "policy_type": "PUT",
            "protected_value_price_feed_units": self.strike,
            "protected_amount_sats": self.amount,
            "duration_days": self.days,
            "premium_token": self.token.value,
        }


PLANS = (
    Plan(
        name="paid-in-stx",
        strike=Usd8(45_000 * USD8),
        amount=Sats(SATS_PER_BTC // 10),
        days=30,
        token=Token.STX,
        ending=Ending.SETTLED,
    ),
    Plan(
        name="paid-in-sbtc",
        strike=Usd8(48_000 * USD8),
        amount=Sats(SATS_PER_BTC // 20),
        days=60,
        token=Token.SBTC,
        ending=Ending.SETTLED,
    ),
    Plan(
        name="runs-out",
        strike=Usd8(38_000 * USD8),
        amount=Sats(SATS_PER_BTC // 4),
        days=7,
        token=Token.STX,
        ending=Ending.EXPIRED,
    ),
    Plan(
        name="never-signed",
        strike=Usd8(44_000 * USD8),
        amount=Sats(SATS_PER_BTC // 50),
        days=14,
        token=Token.SBTC,
        ending=Ending.NEVER_SIGNED,
    ),
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
    wallet_payload: Mapping[str, object] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """Our UUID of it, once it is recorded."""
        return self.policy.get("id")

    @property
    def status(self) -> str:
        """`status_detailed`, or what comes before it."""
        return str(self.policy.get("status_detailed", "asked for"))

    @property
    def is_over(self) -> bool:
        """Whether it has ended as it was to."""
        return self.status == self.plan.ending.value

    def begin(self, step: str) -> None:
        """Start the clock of a step."""
        self._begun[step] = time.monotonic()

    def end(self, step: str) -> None:
        """Stop the clock of a step."""
        self.steps[step] = time.monotonic() - self._begun.pop(step)

    def ends_wrongly(self) -> bool:
        """Whether it has come to where the demo's policies never pass."""
        dead_ends = {
            PolicyStatus.FAILED_CREATION,
            PolicyStatus.FAILED_SETTLEMENT,
            PolicyStatus.FAILED_EXPIRATION,
            PolicyStatus.QUARANTINED,
        } - {PolicyStatus(self.plan.ending.value)}
        return self.status in dead_ends

    def to_json(self) -> dict[str, Any]:
        """Describe how it ended."""
        names = (
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
            "expiration_height",
        )
        return {
            **{name: self.policy.get(name) for name in names},
            "name": self.plan.name,
            "seconds": {step: round(seconds, 2) for step, seconds in self.steps.items()},
        }
