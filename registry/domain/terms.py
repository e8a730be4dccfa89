"""The terms of a policy that is asked for: what is sold, and the heights that follow."""

from typing import ClassVar

from registry.domain.errors import BadRequest, Unavailable
from registry.domain.parameters import Parameters
from registry.domain.units import BLOCKS_PER_DAY, BurnHeight, Sats


class SwitchedOff(Unavailable):
    """An operator has switched this off."""

    code = "switched_off"
    sentence: ClassVar[str] = "{feature} is switched off"


def check_sold(*, amount: Sats, days: int, parameters: Parameters) -> None:
    """Raise unless policies of this size and duration are sold now; both ends of a range are."""
    if not parameters.creation_enabled:
        raise SwitchedOff(feature="creation")
    _check_between("protected_amount_sats", amount, parameters.min_amount_sats, parameters.max_amount_sats)
    _check_between("duration_days", days, parameters.min_duration_days, parameters.max_duration_days)


def expiration_height(height: BurnHeight, *, days: int) -> BurnHeight:
    """The last height at which a policy asked for at `height` can be activated."""
    return BurnHeight(height + BLOCKS_PER_DAY * days)


def valid_until_height(height: BurnHeight, *, parameters: Parameters) -> BurnHeight:
    """The last height at which the contract takes a quote made at `height`."""
    return BurnHeight(height + parameters.quote_valid_blocks)


def _check_between(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        reason = f"{value} is not between {lowest} and {highest}"
        raise BadRequest(field=name, reason=reason, value=value, lowest=lowest, highest=highest)
