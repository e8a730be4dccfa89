"""The numbers with which our contracts refuse: one table, for a contract passes on the errors of those it calls."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ContractError(IntEnum):
    """1 to 4 come from a token, the 100s from the registry, the 200s from the pool."""

    NOT_ENOUGH_BALANCE = 1
    SENDER_IS_RECIPIENT = 2
    AMOUNT_NOT_POSITIVE = 3
    NOT_THE_TOKENS_OWNER = 4
    REGISTRY_NOT_AUTHORISED = 100
    REGISTRY_NOT_FOUND = 101
    REGISTRY_BAD_PARAMETERS = 102
    BAD_TRANSITION = 103
    NOT_EXPIRED = 104
    POOL_NOT_AUTHORISED = 200
    POOL_NOT_FOUND = 201
    POOL_BAD_PARAMETERS = 202
    QUOTE_NOT_SIGNED = 203
    QUOTE_EXPIRED = 204
    QUOTE_USED = 205
    NOT_ENOUGH_FREE = 206
    ALREADY_SETTLED = 207
    ALREADY_RELEASED = 208
    PAYOUT_TOO_LARGE = 209
    NOT_ENOUGH_SHARES = 210
    NO_NOTICE = 211
    POLICY_NOT_EXPIRED = 212

    @property
    def meaning(self) -> str:
        """Why the call was refused."""
        return _MEANINGS[self]


_E = ContractError

_MEANINGS: Mapping[ContractError, str] = MappingProxyType(
    {
        _E.NOT_ENOUGH_BALANCE: "the sender has less than the amount",
        _E.SENDER_IS_RECIPIENT: "sender and recipient are the same",
        _E.AMOUNT_NOT_POSITIVE: "the amount is zero",
        _E.NOT_THE_TOKENS_OWNER: "the caller may not send these tokens",
        _E.REGISTRY_NOT_AUTHORISED: "the registry does not take this from this caller",
        _E.REGISTRY_NOT_FOUND: "the registry has no such policy",
        _E.REGISTRY_BAD_PARAMETERS: "the registry does not take such terms",
        _E.BAD_TRANSITION: "the policy is not active any more",
        _E.NOT_EXPIRED: "the policy has not run out yet",
        _E.POOL_NOT_AUTHORISED: "the pool does not take this from this caller",
        _E.POOL_NOT_FOUND: "the pool holds no such policy",
        _E.POOL_BAD_PARAMETERS: "the pool does not take such figures, or is worn out",
        _E.QUOTE_NOT_SIGNED: "nobody signed this quote for this buyer, token, pool and chain",
        _E.QUOTE_EXPIRED: "the quote's last height has passed",
        _E.QUOTE_USED: "the quote has been used",
        _E.NOT_ENOUGH_FREE: "the pool has less than this free",
        _E.ALREADY_SETTLED: "the policy has been paid",
        _E.ALREADY_RELEASED: "the policy's collateral has been released",
        _E.PAYOUT_TOO_LARGE: "the payout is larger than the collateral",
        _E.NOT_ENOUGH_SHARES: "the provider has fewer shares",
        _E.NO_NOTICE: "notice was not given, is not due yet, or has lapsed",
        _E.POLICY_NOT_EXPIRED: "the registry does not call the policy expired",
    }
)


def name_of(code: int | None) -> str | None:
    """The error's name; None where the contracts have none for it."""
    return ContractError(code).name if code in list(ContractError) else None


def meaning_of(code: int | None) -> str:
    """Say why a call was refused; None is a runtime error, which names no reason."""
    if code is None:
        return "the call broke off with a runtime error"
    return ContractError(code).meaning if code in list(ContractError) else f"error u{code}, which is not ours"
