"""The quote as the pool's contract checks it: terms, hash and signature (SIP-018)."""

from dataclasses import dataclass
from typing import Final

from registry.domain.errors import BadRequest
from registry.domain.units import BaseUnits, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks.clarity import Buffer, StringAscii, Tuple, UInt, parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.messages import sign_structured, structured_hash
from registry.stacks.signing import PrivateKey

QUOTE_ID_LENGTH: Final = 16
"""Bytes. The contract's type would take fewer, and then one quote could pass for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteTerms:
    """One offer to one buyer. `fee` is part of `premium`; `collateral` is the most that can ever be paid."""

    quote_id: bytes
    buyer: Principal
    token: Token
    premium: BaseUnits
    protected_value: Usd8
    protected_amount: Sats
    expiration_height: BurnHeight
    policy_type: str
    fee: BaseUnits
    collateral: BaseUnits
    valid_until_height: BurnHeight

    def __post_init__(self) -> None:
        if len(self.quote_id) != QUOTE_ID_LENGTH:
            raise BadRequest(field="quote_id", reason=f"it has {len(self.quote_id)} bytes, not 16")

    def to_clarity(self) -> Tuple:
        """The contract's `terms` argument."""
        return Tuple(
            {
                "protected-value": UInt(self.protected_value),
                "protected-amount": UInt(self.protected_amount),
                "expiration-height": UInt(self.expiration_height),
                "policy-type": StringAscii(self.policy_type),
                "fee": UInt(self.fee),
                "collateral": UInt(self.collateral),
                "valid-until-height": UInt(self.valid_until_height),
            }
        )


def quote_hash(contracts: Contracts, terms: QuoteTerms) -> bytes:
    """Hash an offer for this pool on this chain: 32 bytes, equal to the contract's `get-quote-hash`."""
    return structured_hash(_domain(contracts), _message(contracts, terms))


def sign_quote(contracts: Contracts, terms: QuoteTerms, *, key: PrivateKey) -> bytes:
    """Sign an offer: R ‖ S ‖ V, 65 bytes, as the contract recovers the signer from."""
    return sign_structured(_domain(contracts), _message(contracts, terms), key)


def _domain(contracts: Contracts) -> Tuple:
    return Tuple(
        {
            "name": StringAscii("liquidity-pool"),
            "version": StringAscii("1"),
            "chain-id": UInt(contracts.chain_id),
        }
    )


def _message(contracts: Contracts, terms: QuoteTerms) -> Tuple:
    return Tuple(
        {
            **dict(terms.to_clarity().entries),
            "pool": parse_principal(contracts.pool),
            "buyer": parse_principal(terms.buyer),
            "token": StringAscii(terms.token.value),
            "quote-id": Buffer(terms.quote_id),
            "premium": UInt(terms.premium),
        }
    )
