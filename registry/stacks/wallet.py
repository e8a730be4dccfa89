"""What a holder's wallet is asked to sign: the JSON that `stx_callContract` takes."""

from collections.abc import Mapping
from types import MappingProxyType

from registry.domain.units import Token
from registry.stacks.clarity import Buffer, UInt, to_hex
from registry.stacks.contracts import Contracts
from registry.stacks.quote import QuoteTerms

_FUNCTIONS: Mapping[Token, str] = MappingProxyType({Token.STX: "buy-policy-stx", Token.SBTC: "buy-policy-sbtc"})


def wallet_payload(contracts: Contracts, terms: QuoteTerms, signature: bytes) -> dict[str, object]:
    """Ask the buyer's wallet to buy at these terms, moving exactly the premium or nothing.

    The contract pays the fee out of the premium, so one condition covers both transfers. `address` lets the wallet
    notice that another account is open.
    """
    arguments = (Buffer(terms.quote_id), UInt(terms.premium), terms.to_clarity(), Buffer(signature))
    return {
        "contract": contracts.pool,
        "functionName": _FUNCTIONS[terms.token],
        "functionArgs": [to_hex(argument) for argument in arguments],
        "postConditions": [_premium_condition(contracts, terms)],
        "postConditionMode": "deny",
        "network": contracts.network_name,
        "address": terms.buyer,
    }


def _premium_condition(contracts: Contracts, terms: QuoteTerms) -> dict[str, object]:
    """Say eq, not le: le would let the call succeed with nothing paid."""
    sent = {"address": terms.buyer, "condition": "eq", "amount": str(terms.premium)}
    if terms.token is Token.STX:
        return {"type": "stx-postcondition", **sent}
    return {"type": "ft-postcondition", "asset": str(contracts.sbtc_asset), **sent}
