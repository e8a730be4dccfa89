"""Units: an integer never lacks its unit, and every division says which way it rounds."""

from enum import StrEnum
from typing import NewType

Usd8 = NewType("Usd8", int)
"""USD × 10^8: every price, strike and premium per BTC."""

Sats = NewType("Sats", int)
MicroStx = NewType("MicroStx", int)

BaseUnits = NewType("BaseUnits", int)
"""Micro-STX or satoshi: which of the two, the `Token` beside it says."""

Ppm = NewType("Ppm", int)
"""Parts per million: 1 % = 10 000."""

BurnHeight = NewType("BurnHeight", int)
"""Height of the Bitcoin chain as the canonical Stacks tip sees it: the only clock of a policy."""

StacksHeight = NewType("StacksHeight", int)
Nonce = NewType("Nonce", int)

TxId = NewType("TxId", str)
"""64 lower-case hex digits, no 0x."""

BlockHash = NewType("BlockHash", str)
"""An index block hash: 64 lower-case hex digits, no 0x."""

Principal = NewType("Principal", str)
"""A canonical c32 address, or one with `.contract-name` behind it."""

USD8 = 10**8
SATS_PER_BTC = 10**8
MICRO_PER_STX = 10**6
PPM = 10**6

BLOCKS_PER_DAY = 144
SECONDS_PER_BLOCK = 600

BIGINT_MAX = 2**63 - 1
"""The largest integer that a BIGINT column holds."""


class Token(StrEnum):
    """What a policy's premium, collateral and payout are in: one token for all three."""

    STX = "STX"
    SBTC = "sBTC"


def floor_div(numerator: int, denominator: int) -> int:
    """Divide non-negative integers, rounding down: payouts, fees and shares."""
    return numerator // denominator


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide non-negative integers, rounding up: premiums and collateral."""
    return -(-numerator // denominator)
