"""A chain of one's own for each test: fresh contracts on the run's devnet, with keys, wallets and orders."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from registry.domain.fees import Fees
from registry.domain.units import BaseUnits, MicroStx, Principal, Token, TxId
from registry.stacks import contracts as calls
from registry.stacks.clarity import StringAscii, UInt, Value, from_hex, parse_principal
from registry.stacks.contracts import Call, Contracts
from registry.stacks.http_node import HttpNode
from registry.stacks.node import Accepted
from registry.stacks.principals import ContractPrincipal
from registry.stacks.signer import Signer
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wire import (
    TESTNET,
    Condition,
    ContractCall,
    FungiblePostCondition,
    Payload,
    PostCondition,
    PostConditionMode,
    SmartContract,
    StxPostCondition,
    Transaction,
)

ROOT = Path(__file__).parents[2]
CLARITY = 3
FEE = 50_000
CEILING = 4 * FEE
POCKET_MONEY = 10**10
DEPOSITS = {Token.STX: 10**13, Token.SBTC: 100 * 10**8}


def new_hex() -> str:
    """A compressed key that nobody else has, as a key file holds it."""
    return secrets.token_hex(32) + "01"


def new_key() -> PrivateKey:
    """A compressed key that nobody else has."""
    return PrivateKey.from_hex(new_hex())


@dataclass
class Chain:
    """One test's contracts on a devnet that seals blocks on demand only."""

    url: str
    node: HttpNode
    deployer: PrivateKey = field(default_factory=new_key)
    backend_hex: str = field(default_factory=new_hex)
    quote_hex: str = field(default_factory=new_hex)
    nonces: dict[str, int] = field(default_factory=dict)

    @property
    def backend(self) -> PrivateKey:
        return PrivateKey.from_hex(self.backend_hex)

    @property
    def quote_key(self) -> PrivateKey:
        return PrivateKey.from_hex(self.quote_hex)

    @property
    def contracts(self) -> Contracts:
        address = self.deployer.address(TESTNET)
        return Contracts(
            registry=Principal(f"{address}.policy-registry"),
            pool=Principal(f"{address}.liquidity-pool"),
            sbtc=Principal(f"{address}.sbtc-token"),
            network=TESTNET,
        )

    @property
    def signer(self) -> Signer:
        return Signer(key=self.backend, fees=Fees(floor=MicroStx(FEE), ceiling=MicroStx(CEILING)), window=20)

    def order(self, name: str, **body: object) -> dict[str, Any]:
        """Tell the devnet what no node can be told."""
        answer = requests.post(f"{self.url}/devnet/{name}", json=body, timeout=60)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def mine(self, blocks: int = 1) -> None:
        self.order("mine", blocks=blocks)

    def burn(self, blocks: int = 1) -> None:
        """Seal one Stacks block, `blocks` burn blocks later."""
        self.order("burn", blocks=blocks)

    def reorganise(self, depth: int, *, transactions: str = "keep") -> None:
        self.order("reorg", depth=depth, transactions=transactions)

    def price(self, btc: str, stx: str = "2") -> None:
        self.order("prices", **{"BTC/USD": btc, "STX/USD": stx})

    def fund(self, key: PrivateKey) -> Principal:
        """Give a wallet STX, and sBTC with the next block."""
        address = Principal(key.address(TESTNET))
        self.order("mint", recipient=address, amount=str(POCKET_MONEY))
        self.call(self.deployer, self.contracts.sbtc, "mint", UInt(10**9), parse_principal(address))
        return address

    def deploy(self) -> None:
        """Deploy the contracts, appoint backend and quote signer, and lend the pool both tokens."""
        # one devnet serves all tests, and the VM holds no more than 2^53 micro-STX
        for key, amount in ((self.deployer, DEPOSITS[Token.STX] + POCKET_MONEY), (self.backend, POCKET_MONEY)):
            self.order("mint", recipient=key.address(TESTNET), amount=str(amount))
        for name in ("sip-010-trait", "sbtc-token", "policy-registry", "liquidity-pool"):
            code = (ROOT / "contracts" / f"{name}.clar").read_text()
            self.send(self.deployer, SmartContract(name=name, code=code, clarity_version=CLARITY), fee=10**6)
        self.mine()
        ours = self.contracts
        self.call(self.deployer, ours.registry, "set-backend-principal", _address(self.backend))
        self.call(self.deployer, ours.pool, "set-quote-signer", _address(self.quote_key))
        self.call(self.deployer, ours.pool, "set-treasury", _address(new_key()))
        self.call(self.deployer, ours.sbtc, "mint", UInt(10**12), _address(self.deployer))
        for token, amount in DEPOSITS.items():
            self.call(self.deployer, ours.pool, "deposit", StringAscii(token.value), UInt(amount))
        self.mine()

    def call(self, key: PrivateKey, contract: Principal, function: str, *arguments: Value) -> TxId:
        payload = ContractCall(contract=ContractPrincipal.parse(contract), function=function, arguments=arguments)
        return self.send(key, payload)

    def send(self, key: PrivateKey, payload: Payload, *, fee: int = FEE) -> TxId:
        """Sign in allow mode and send; the next block mines it."""
        return self._broadcast(key, PostConditionMode.ALLOW, (), payload, fee=fee)

    def order_call(self, key: PrivateKey, call: Call) -> TxId:
        """Sign a prepared call in deny mode and send it."""
        return self._broadcast(key, PostConditionMode.DENY, call.post_conditions, call.payload, fee=FEE)

    def buy(self, key: PrivateKey, payload: Mapping[str, Any]) -> TxId:
        """Sign what the registry prepared, as a wallet reads it."""
        call = ContractCall(
            contract=ContractPrincipal.parse(payload["contract"]),
            function=payload["functionName"],
            arguments=tuple(from_hex(each) for each in payload["functionArgs"]),
        )
        conditions = tuple(self._condition(each) for each in payload["postConditions"])
        return self._broadcast(key, PostConditionMode.DENY, conditions, call, fee=FEE)

    def settle(self, on_chain: int, *, amount: int, token: Token) -> TxId:
        """Settle a policy behind the registry's back, with the backend's own key."""
        call = calls.settle_policy(self.contracts, on_chain, amount=BaseUnits(amount), token=token)
        return self.order_call(self.backend, call)

    def principal_value(self) -> Value:
        """Somebody who has no part in anything, as an argument."""
        return _address(new_key())

    def _condition(self, told: Mapping[str, Any]) -> PostCondition:
        holder = parse_principal(told["address"])
        assert told["condition"] == "eq"
        amount = int(told["amount"])
        if told["type"] == "stx-postcondition":
            return StxPostCondition(holder=holder, condition=Condition.EQUAL, amount=amount)
        asset = self.contracts.sbtc_asset
        assert told["asset"] == f"{self.contracts.sbtc}::{asset.name}"
        return FungiblePostCondition(holder=holder, asset=asset, condition=Condition.EQUAL, amount=amount)

    def _broadcast(
        self,
        key: PrivateKey,
        mode: PostConditionMode,
        conditions: Sequence[PostCondition],
        payload: Payload,
        *,
        fee: int,
    ) -> TxId:
        address = key.address(TESTNET)
        nonce = max(self.nonces.get(address, 0), self.node.account(Principal(address)).nonce)
        unsigned = Transaction(
            network=TESTNET,
            origin=key.spend(nonce=nonce, fee=fee),
            post_condition_mode=mode,
            post_conditions=tuple(conditions),
            payload=payload,
        )
        signed = sign(unsigned, key)
        answer = self.node.broadcast(signed.encode())
        assert isinstance(answer, Accepted), answer
        self.nonces[address] = nonce + 1
        return answer.txid


def _address(key: PrivateKey) -> Value:
    return parse_principal(key.address(TESTNET))
