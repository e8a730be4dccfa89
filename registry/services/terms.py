"""Terms: what a quote says, and whether a purchase on chain is that quote, in every field."""

from registry.domain.errors import BadRequest
from registry.domain.request import CreationRequest
from registry.domain.units import BaseUnits, BurnHeight, Principal, Sats, Usd8
from registry.stacks.contracts import Contracts
from registry.stacks.events import PolicyCreated, PolicyPurchased
from registry.stacks.quote import QuoteTerms
from registry.store.tables import QuoteRow


def quote_terms(row: QuoteRow) -> QuoteTerms:
    """Put together what the quote key signs and the purchase must equal."""
    if row.quote_id is None or row.valid_until_height is None or row.expiration_height is None:
        raise BadRequest(field="quote", reason=f"{row.id} has not been recorded")
    if row.premium_base_units is None or row.fee_base_units is None or row.collateral_base_units is None:
        raise BadRequest(field="quote", reason=f"{row.id} has not been priced")
    request = CreationRequest.from_json(row.request)
    return QuoteTerms(
        quote_id=row.quote_id,
        buyer=Principal(row.owner_principal),
        token=request.token,
        premium=BaseUnits(row.premium_base_units),
        protected_value=Usd8(request.strike),
        protected_amount=Sats(request.amount),
        expiration_height=BurnHeight(row.expiration_height),
        policy_type=str(row.request["policy_type"]),
        fee=BaseUnits(row.fee_base_units),
        collateral=BaseUnits(row.collateral_base_units),
        valid_until_height=BurnHeight(row.valid_until_height),
    )


def explains(terms: QuoteTerms, contracts: Contracts, purchased: PolicyPurchased, created: PolicyCreated) -> bool:
    """Whether this purchase, proved by both contracts in one transaction, is this quote in every term."""
    return (
        purchased.policy_id == created.policy_id
        and purchased.quote_id == terms.quote_id
        and purchased.buyer == created.owner == terms.buyer
        and created.counterparty == contracts.pool
        and purchased.token == terms.token
        and purchased.premium == terms.premium
        and purchased.fee == terms.fee
        and purchased.collateral == terms.collateral
        and created.protected_value == terms.protected_value
        and created.protected_amount == terms.protected_amount
        and created.expiration_height == terms.expiration_height
        and created.policy_type == terms.policy_type
    )
