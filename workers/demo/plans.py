"""The policies that the demo sells: what is asked for, what their owners do, and how each is to end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.units import SATS_PER_BTC, USD8, BaseUnits, Sats, Token, Usd8
from registry_client.answers import PolicyRequest

PRICES: Mapping[str, str] = {"BTC/USD": "50000", "STX/USD": "2"}
PRICES_FALLEN: Mapping[str, str] = {"BTC/USD": "41000", "STX/USD": "1.7"}
PRICES_CRASHED: Mapping[str, str] = {"BTC/USD": "22000", "STX/USD": "0.5"}
"""STX falls further than BTC: a payout in STX then costs more than the collateral that was locked at 2 dollars."""
PRICES_AT_THE_END: Mapping[str, str] = {"BTC/USD": "42000", "STX/USD": "1.8"}
"""Below the strike of the one European policy, above that of the other."""


LEAST_PAYOUT = BaseUnits(10**6)
"""More than the fall pays whoever asks for it, less than the crash does: a hundredth of a bitcoin."""


class Part(Enum):
    """What an owner does, and so in which chapters he appears."""

    ASKS_IN_THE_FALL = auto()
    ASKS_FOR_TOO_MUCH = auto()
    ASKS_WITHOUT_PRICES = auto()
    ASKS_IN_THE_CRASH = auto()
    ASKS_NEVER = auto()
    MAY_NOT_ASK = auto()
    SIGNS_NEVER = auto()
    DECLINES = auto()
    SIGNS_TOO_LATE = auto()
    HOLDS_A_LOST_QUOTE = auto()
    FORGES = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A policy that will be asked for, and how it is to end."""

    name: str
    strike: int
    """In whole dollars."""
    amount: int
    """In hundredths of a bitcoin."""
    days: int
    token: Token
    style: ExerciseStyle = ExerciseStyle.AMERICAN
    part: Part
    ending: PolicyStatus

    @property
    def protected_value(self) -> Usd8:
        """The strike as the registry counts it."""
        return Usd8(self.strike * USD8)

    @property
    def protected_amount(self) -> Sats:
        """The amount as the registry counts it."""
        return Sats(self.amount * SATS_PER_BTC // 100)

    def request(self) -> PolicyRequest:
        """Say it as `policies.request_creation` wants it."""
        return {
            "policy_type": "PUT",
            "protected_value_price_feed_units": self.protected_value,
            "protected_amount_sats": self.protected_amount,
            "duration_days": self.days,
            "premium_token": self.token.value,
            "exercise_style": self.style.value,
        }


def _plan(
    name: str,
    part: Part,
    ending: PolicyStatus,
    *,
    sold: tuple[int, int, int, Token],
    style: ExerciseStyle = ExerciseStyle.AMERICAN,
) -> Plan:
    strike, amount, days, token = sold
    return Plan(name=name, strike=strike, amount=amount, days=days, token=token, style=style, part=part, ending=ending)


_STX, _SBTC, _EUROPEAN = Token.STX, Token.SBTC, ExerciseStyle.EUROPEAN
_SETTLED, _EXPIRED, _FAILED = PolicyStatus.SETTLED, PolicyStatus.EXPIRED, PolicyStatus.FAILED_CREATION
_QUARANTINED = PolicyStatus.QUARANTINED

WEEK = 7
"""The days of those that are to run out; the others end before."""

PLANS = (
    _plan("paid-in-stx", Part.ASKS_IN_THE_FALL, _SETTLED, sold=(45_000, 10, 30, _STX)),
    _plan("paid-in-sbtc", Part.ASKS_IN_THE_FALL, _SETTLED, sold=(48_000, 5, 60, _SBTC)),
    _plan("bought-late", Part.SIGNS_TOO_LATE, _SETTLED, sold=(44_000, 3, 45, _SBTC)),
    _plan("wants-more", Part.ASKS_FOR_TOO_MUCH, _SETTLED, sold=(47_000, 4, 21, _SBTC)),
    _plan("has-to-wait", Part.ASKS_WITHOUT_PRICES, _SETTLED, sold=(43_000, 5, 14, _STX)),
    _plan("capped", Part.ASKS_IN_THE_CRASH, _SETTLED, sold=(40_000, 10, 30, _STX)),
    _plan("european-paid", Part.MAY_NOT_ASK, _SETTLED, sold=(46_000, 2, WEEK, _SBTC), style=_EUROPEAN),
    _plan("european-lapsed", Part.MAY_NOT_ASK, _EXPIRED, sold=(36_000, 2, WEEK, _SBTC), style=_EUROPEAN),
    _plan("forger", Part.FORGES, _SETTLED, sold=(49_000, 1, WEEK, _SBTC)),
    _plan("runs-out", Part.ASKS_NEVER, _EXPIRED, sold=(38_000, 25, WEEK, _STX)),
    _plan("forgets", Part.ASKS_NEVER, _EXPIRED, sold=(50_000, 2, WEEK, _STX)),
    _plan("never-signed", Part.SIGNS_NEVER, _FAILED, sold=(44_000, 2, 14, _SBTC)),
    _plan("declined", Part.DECLINES, _FAILED, sold=(49_500, 3, 90, _STX)),
    _plan("lost-quote", Part.HOLDS_A_LOST_QUOTE, _QUARANTINED, sold=(44_000, 2, 30, _SBTC)),
)
