"""What owners do with their policies: a pure function of the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from registry.domain.policy import ExerciseStyle
from registry.domain.units import SATS_PER_BTC, USD8, Token
from registry_client.answers import PolicyRequest

SPOT = 50_000
DAYS = 7


class Way(StrEnum):
    """How an owner goes about it, and in how many of a hundred policies."""

    ASKS_TO_BE_PAID = "asks to be paid when the price has fallen"
    ASKS_TOO_EARLY = "asks to be paid before, and again then"
    LETS_RUN_OUT = "lets it run out"
    MAY_NOT_ASK = "holds a European policy"
    DECLINES = "declines the quote"
    NEVER_SIGNS = "never signs"


SHARES = {
    Way.ASKS_TO_BE_PAID: 44,
    Way.ASKS_TOO_EARLY: 6,
    Way.LETS_RUN_OUT: 32,
    Way.MAY_NOT_ASK: 8,
    Way.DECLINES: 5,
    Way.NEVER_SIGNS: 5,
}
BUYERS = frozenset(Way) - {Way.DECLINES, Way.NEVER_SIGNS}
ASKERS = frozenset({Way.ASKS_TO_BE_PAID, Way.ASKS_TOO_EARLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A policy that will be asked for; the strike in whole dollars, the amount in hundredths of a bitcoin."""

    number: int
    way: Way
    strike: int
    amount: int
    token: Token

    @property
    def key(self) -> str:
        """What it is asked for under."""
        return f"chaos-{self.number}"

    def request(self) -> PolicyRequest:
        """Say it as `policies.request_creation` wants it."""
        style = ExerciseStyle.EUROPEAN if self.way is Way.MAY_NOT_ASK else ExerciseStyle.AMERICAN
        return {
            "policy_type": "PUT",
            "protected_value_price_feed_units": self.strike * USD8,
            "protected_amount_sats": self.amount * SATS_PER_BTC // 100,
            "duration_days": DAYS,
            "premium_token": self.token.value,
            "exercise_style": style.value,
        }


def lives(count: int, *, seed: int) -> Sequence[Life]:
    """So many, mixed."""
    chance = random.Random(seed)  # noqa: S311 - the same seed is to give the same lives
    # all ways before chance has its say, so that a short run has each
    ways = [*Way, *chance.choices(list(SHARES), weights=list(SHARES.values()), k=max(0, count - len(Way)))][:count]
    return [
        Life(
            number=number,
            way=way,
            # below the price by enough that a small rise of prices leaves it in a tier
            strike=SPOT * chance.randint(76, 95) // 100,
            amount=chance.randint(1, 4),
            token=chance.choice(list(Token)),
        )
        for number, way in enumerate(chance.sample(ways, k=len(ways)))
    ]
