"""Our two contracts: where they stand, and the backend's calls of them, each with all that it may move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from registry.domain.errors import BadRequest
from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, Principal, Token
from registry.stacks.clarity import List, UInt
from registry.stacks.errors import DecodeError
from registry.stacks.principals import ContractPrincipal
from registry.stacks.wire import (
    Asset,
    Condition,
    ContractCall,
    FungiblePostCondition,
    Network,
    PostCondition,
    PostConditionMode,
    SingleSig,
    StxPostCondition,
    Transaction,
    TransactionVersion,
)

MAX_BATCH: Final = 200
"""Entries of one `expire-policies`."""

SBTC_ASSET: Final = "sbtc-token"
"""The asset's name in the sBTC contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Where our contracts and sBTC stand, and on which chain."""

    registry: Principal
    pool: Principal
    sbtc: Principal
    network: Network

    def __post_init__(self) -> None:
        for name, text in (("registry", self.registry), ("pool", self.pool), ("sbtc", self.sbtc)):
            try:
                deployer = ContractPrincipal.parse(text).deployer
            except DecodeError as error:
                raise BadRequest(field=name, reason=str(error)) from error
            if deployer.version not in (self.network.single_sig, self.network.multi_sig):
                raise BadRequest(field=name, reason=f"{text} is of another network")

    @property
    def chain_id(self) -> int:
        """As quotes name it: 1 for mainnet, 2^31 for testnet."""
        return self.network.chain_id

    @property
    def network_name(self) -> str:
        """As wallets name it."""
        return "mainnet" if self.network.version is TransactionVersion.MAINNET else "testnet"

    @property
    def sbtc_asset(self) -> Asset:
        """The token of policies in sBTC."""
        return Asset(contract=ContractPrincipal.parse(self.sbtc), name=SBTC_ASSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call and its post-conditions; always in deny mode, so nothing else can move."""

    payload: ContractCall
    post_conditions: tuple[PostCondition, ...] = ()

    def transaction(self, origin: SingleSig, *, network: Network) -> Transaction:
        """Put the call under a nonce and a fee, to be signed."""
        return Transaction(
            network=network,
            origin=origin,
            post_condition_mode=PostConditionMode.DENY,
            post_conditions=self.post_conditions,
            payload=self.payload,
        )


def settle_policy(contracts: Contracts, policy_id: int, *, amount: BaseUnits, token: Token) -> Call:
    """Pay a policy's owner exactly `amount` from the pool and move the registry to Settled."""
    return Call(
        payload=ContractCall(
            contract=ContractPrincipal.parse(contracts.pool),
            function="settle-policy",
            arguments=(UInt(policy_id), UInt(amount)),
        ),
        post_conditions=(_pool_sends(contracts, amount=amount, token=token),),
    )


def expire_policies(contracts: Contracts, policy_ids: Sequence[int]) -> Call:
    """Free the collateral of policies that ran out and move the registry to Expired, each entry on its own."""
    if not 1 <= len(policy_ids) <= MAX_BATCH:
        raise BadRequest(field="policy_ids", reason=f"a batch has 1 to {MAX_BATCH}, not {len(policy_ids)}")
    return Call(
        payload=ContractCall(
            contract=ContractPrincipal.parse(contracts.pool),
            function="expire-policies",
            arguments=(List(UInt(policy_id) for policy_id in policy_ids),),
        )
    )


def release_collateral(contracts: Contracts, policy_id: int) -> Call:
    """Free the collateral of a policy that the registry already calls Expired."""
    return Call(
        payload=ContractCall(
            contract=ContractPrincipal.parse(contracts.pool),
            function="release-collateral",
            arguments=(UInt(policy_id),),
        )
    )


def update_policy_status(contracts: Contracts, policy_id: int, status: OnChainStatus) -> Call:
    """Move the registry alone; it takes this for Expired only, and leaves the collateral locked."""
    return Call(
        payload=ContractCall(
            contract=ContractPrincipal.parse(contracts.registry),
            function="update-policy-status",
            arguments=(UInt(policy_id), UInt(status)),
        )
    )


def _pool_sends(contracts: Contracts, *, amount: BaseUnits, token: Token) -> PostCondition:
    pool = ContractPrincipal.parse(contracts.pool)
    if token is Token.STX:
        return StxPostCondition(holder=pool, condition=Condition.EQUAL, amount=amount)
    return FungiblePostCondition(holder=pool, asset=contracts.sbtc_asset, condition=Condition.EQUAL, amount=amount)
