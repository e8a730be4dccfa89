"""A quote that the quote key signed and the database has lost: its purchase is one that nothing here explains."""

import secrets
from typing import Any

from registry.domain.units import BLOCKS_PER_DAY, USD8, BaseUnits, BurnHeight, Sats, Token, floor_div
from registry.stacks.quote import QUOTE_ID_LENGTH, QuoteTerms, sign_quote
from registry.stacks.signing import PrivateKey
from registry.stacks.wallet import wallet_payload
from workers.demo.deployment import Cast
from workers.demo.lives import Life

VALID_BLOCKS = 1_000
SPOT = 50_000
PREMIUM_OF = 50
"""The premium is this part of what is protected, the fee a hundredth of the premium."""


def lost_payload(cast: Cast, life: Life, *, height: BurnHeight) -> dict[str, Any]:
    """Make what the owner's wallet signs, by the real quote key and past the registry."""
    plan = life.plan
    protected = Sats(floor_div(plan.protected_value * plan.protected_amount, SPOT * USD8))
    premium = protected // PREMIUM_OF
    terms = QuoteTerms(
        quote_id=secrets.token_bytes(QUOTE_ID_LENGTH),
        buyer=life.owner.address,
        token=Token.SBTC,
        premium=BaseUnits(premium),
        protected_value=plan.protected_value,
        protected_amount=plan.protected_amount,
        expiration_height=BurnHeight(height + plan.days * BLOCKS_PER_DAY),
        policy_type="PUT",
        fee=BaseUnits(premium // 100),
        collateral=BaseUnits(protected + protected // 5),
        valid_until_height=BurnHeight(height + VALID_BLOCKS),
    )
    contracts = cast.contracts
    key = PrivateKey.from_hex(cast.quote_signer.key)
    return wallet_payload(contracts, terms, sign_quote(contracts, terms, key=key))
