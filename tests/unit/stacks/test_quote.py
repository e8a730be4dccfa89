"""The signed quote and what a wallet is asked for, against vectors that the contract accepted in the VM."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from registry.domain.errors import BadRequest
from registry.domain.units import BaseUnits, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks import clarity
from registry.stacks.contracts import Contracts
from registry.stacks.hashes import sha256
from registry.stacks.keys import recover_key
from registry.stacks.quote import QuoteTerms, quote_hash, sign_quote
from registry.stacks.signing import PrivateKey, key_address
from registry.stacks.wallet import wallet_payload
from registry.stacks.wire import MAINNET, TESTNET, KeyEncoding

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "quote_vectors.json").read_text())
KEY = PrivateKey.from_hex(VECTORS["private_key"])
SBTC = Principal("ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.sbtc-token")


def contracts_of(vector: dict[str, str]) -> Contracts:
    return Contracts(
        registry=Principal(vector["pool"].replace("liquidity-pool", "policy-registry")),
        pool=Principal(vector["pool"]),
        sbtc=SBTC,
        network=TESTNET,
    )


def terms_of(vector: dict[str, str]) -> QuoteTerms:
    return QuoteTerms(
        quote_id=bytes.fromhex(vector["quote_id"]),
        buyer=Principal(vector["buyer"]),
        token=Token(vector["token"]),
        premium=BaseUnits(int(vector["premium"])),
        protected_value=Usd8(int(vector["protected_value"])),
        protected_amount=Sats(int(vector["protected_amount"])),
        expiration_height=BurnHeight(int(vector["expiration_height"])),
        policy_type="PUT",
        fee=BaseUnits(int(vector["fee"])),
        collateral=BaseUnits(int(vector["collateral"])),
        valid_until_height=BurnHeight(int(vector["valid_until_height"])),
    )


every_vector = pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda each: each["quote_id"][:8])


@every_vector
def test_the_hash_is_the_one_the_contract_checks(vector: dict[str, str]) -> None:
    assert quote_hash(contracts_of(vector), terms_of(vector)).hex() == vector["hash"]


@every_vector
def test_the_signature_is_the_one_the_contract_accepts(vector: dict[str, str]) -> None:
    signature = sign_quote(contracts_of(vector), terms_of(vector), key=KEY)
    assert signature.hex() == vector["signature_rsv"]
    public_key = recover_key(bytes.fromhex(vector["hash"]), signature, KeyEncoding.COMPRESSED)
    assert key_address(public_key, TESTNET) == VECTORS["signer"]


@every_vector
def test_the_terms_argument_is_byte_for_byte_the_contracts(vector: dict[str, str]) -> None:
    assert clarity.to_hex(terms_of(vector).to_clarity()) == vector["terms"]


def test_the_domain_names_pool_version_and_chain() -> None:
    domain = sha256(bytes.fromhex(VECTORS["domain"]))
    vector = VECTORS["vectors"][0]
    message = sha256(bytes.fromhex(vector["message"]))
    assert sha256(b"SIP018" + domain + message) == quote_hash(contracts_of(vector), terms_of(vector))


def test_no_two_terms_share_a_hash() -> None:
    vector = VECTORS["vectors"][0]
    contracts, terms = contracts_of(vector), terms_of(vector)
    others = [
        replace(terms, quote_id=bytes(16)),
        replace(terms, buyer=Principal(VECTORS["signer"])),
        replace(terms, token=Token.SBTC),
        replace(terms, premium=BaseUnits(terms.premium + 1)),
        replace(terms, protected_value=Usd8(terms.protected_value + 1)),
        replace(terms, protected_amount=Sats(terms.protected_amount + 1)),
        replace(terms, expiration_height=BurnHeight(terms.expiration_height + 1)),
        replace(terms, policy_type="CALL"),
        replace(terms, fee=BaseUnits(terms.fee + 1)),
        replace(terms, collateral=BaseUnits(terms.collateral + 1)),
        replace(terms, valid_until_height=BurnHeight(terms.valid_until_height + 1)),
    ]
    hashes = {quote_hash(contracts, each) for each in [terms, *others]}
    assert len(hashes) == 12
    elsewhere = replace(contracts, pool=Principal(f"{VECTORS['signer']}.liquidity-pool"))
    assert quote_hash(elsewhere, terms) not in hashes


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_quote_id_has_sixteen_bytes(length: int) -> None:
    with pytest.raises(BadRequest, match="quote_id is not usable"):
        replace(terms_of(VECTORS["vectors"][0]), quote_id=bytes(length))


def test_a_contract_of_another_network_is_refused() -> None:
    testnet = contracts_of(VECTORS["vectors"][0])
    with pytest.raises(BadRequest, match="another network"):
        replace(testnet, network=MAINNET)
    with pytest.raises(BadRequest, match="pool is not usable"):
        replace(testnet, pool=Principal(VECTORS["signer"]))


def test_a_wallet_is_asked_for_exactly_the_premium_in_stx() -> None:
    vector = VECTORS["vectors"][0]
    signature = bytes.fromhex(vector["signature_rsv"])
    payload = wallet_payload(contracts_of(vector), terms_of(vector), signature)
    assert payload == {
        "contract": vector["pool"],
        "functionName": "buy-policy-stx",
        "functionArgs": [
            "0200000010" + vector["quote_id"],
            "01" + int(vector["premium"]).to_bytes(16, "big").hex(),
            vector["terms"],
            "0200000041" + vector["signature_rsv"],
        ],
        "postConditions": [
            {
                "type": "stx-postcondition",
                "address": vector["buyer"],
                "condition": "eq",
                "amount": vector["premium"],
            }
        ],
        "postConditionMode": "deny",
        "network": "testnet",
        "address": vector["buyer"],
    }
    assert json.loads(json.dumps(payload)) == payload


def test_a_wallet_is_asked_for_exactly_the_premium_in_sbtc() -> None:
    vector = VECTORS["vectors"][1]
    payload = wallet_payload(contracts_of(vector), terms_of(vector), bytes(65))
    assert payload["functionName"] == "buy-policy-sbtc"
    assert payload["postConditions"] == [
        {
            "type": "ft-postcondition",
            "address": vector["buyer"],
            "condition": "eq",
            "asset": f"{SBTC}::sbtc-token",
            "amount": vector["premium"],
        }
    ]
