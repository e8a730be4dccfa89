"""What our contracts answer when asked, through a node; at one block when `tip` names it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from registry.domain.errors import BadRequest
from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BlockHash, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks.clarity import Buffer, List, StringAscii, UInt, Value
from registry.stacks.contracts import Contracts
from registry.stacks.node import StacksNode
from registry.stacks.shapes import Shape, items, optional, principal, uint

MAX_IDS: Final = 50
"""Entries of one list that is read: more would spend a node's budget for reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPolicy:
    """A policy as the registry keeps it, ours or another counterparty's."""

    owner: Principal
    counterparty: Principal
    protected_value: Usd8
    protected_amount: Sats
    expiration_height: BurnHeight
    policy_type: str
    status: OnChainStatus

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            owner=shape.principal("owner"),
            counterparty=shape.principal("counterparty"),
            protected_value=Usd8(shape.uint("protected-value")),
            protected_amount=Sats(shape.uint("protected-amount")),
            expiration_height=shape.height("expiration-height"),
            policy_type=shape.text("policy-type"),
            status=shape.status("status"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A policy as the pool keeps it. The collateral is locked only while the status is Active."""

    owner: Principal
    token: Token
    collateral: BaseUnits
    status: OnChainStatus
    payout: BaseUnits

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            owner=shape.principal("owner"),
            token=shape.token("token"),
            collateral=shape.units("collateral"),
            status=shape.status("status"),
            payout=shape.units("payout"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One token's pool as of the block read: balance = assets + unearned, and assets ≥ locked."""

    assets: BaseUnits
    locked: BaseUnits
    shares: int
    unearned: BaseUnits
    since: BurnHeight
    until: BurnHeight

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            assets=shape.units("assets"),
            locked=shape.units("locked"),
            shares=shape.uint("shares"),
            unearned=shape.units("unearned"),
            since=shape.height("since"),
            until=shape.height("until"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractReads:
    """Questions to our contracts. Each raises NodeUnavailable, TipGone, CallReadFailed or UnexpectedValue."""

    node: StacksNode
    contracts: Contracts

    def get_policies(
        self, policy_ids: Sequence[int], *, tip: BlockHash | None = None
    ) -> tuple[ChainPolicy | None, ...]:
        """Read up to 50 policies from the registry, in the order asked; None where there is none."""
        found = self._list(self.contracts.registry, "get-policies", policy_ids, tip=tip)
        return tuple(None if each is None else Shape.of(each, "a policy").read_as(ChainPolicy) for each in found)

    def get_positions(self, policy_ids: Sequence[int], *, tip: BlockHash | None = None) -> tuple[Position | None, ...]:
        """Read up to 50 positions from the pool, in the order asked; None for policies of others."""
        found = self._list(self.contracts.pool, "get-positions", policy_ids, tip=tip)
        return tuple(None if each is None else Shape.of(each, "a position").read_as(Position) for each in found)

    def get_pool(self, token: Token, *, tip: BlockHash | None = None) -> Pool:
        """Read one token's pool."""
        answer = self._ask(self.contracts.pool, "get-pool", StringAscii(token.value), tip=tip)
        return Shape.of(optional(answer, "a pool") or answer, "a pool").read_as(Pool)

    def get_quote_policy(self, quote_id: bytes, *, tip: BlockHash | None = None) -> int | None:
        """Find the policy that a quote was used for; None while it is unused."""
        answer = self._ask(self.contracts.pool, "get-quote-policy", Buffer(quote_id), tip=tip)
        used = optional(answer, "a quote's policy")
        return None if used is None else uint(used, "a quote's policy")

    def get_policy_counter(self, *, tip: BlockHash | None = None) -> int:
        """Read the id of the newest policy, anyone's; 0 while there is none."""
        answer = self._ask(self.contracts.registry, "get-policy-counter", tip=tip)
        return uint(answer, "the policy counter")

    def get_backend_principal(self, *, tip: BlockHash | None = None) -> Principal:
        """Read who may settle and expire."""
        answer = self._ask(self.contracts.registry, "get-backend-principal", tip=tip)
        return principal(answer, "the backend")

    def get_quote_signer(self, *, tip: BlockHash | None = None) -> Principal:
        """Read whose signature a quote needs."""
        answer = self._ask(self.contracts.pool, "get-quote-signer", tip=tip)
        return principal(answer, "the quote signer")

    def _list(
        self, contract_id: Principal, function: str, policy_ids: Sequence[int], *, tip: BlockHash | None
    ) -> tuple[Value | None, ...]:
        if not 1 <= len(policy_ids) <= MAX_IDS:
            raise BadRequest(field="policy_ids", reason=f"1 to {MAX_IDS} can be read, not {len(policy_ids)}")
        answer = self._ask(contract_id, function, List(UInt(each) for each in policy_ids), tip=tip)
        return tuple(optional(each, function) for each in items(answer, function, count=len(policy_ids)))

    def _ask(self, contract_id: Principal, function: str, *arguments: Value, tip: BlockHash | None) -> Value:
        sender = Principal(contract_id.partition(".")[0])
        return self.node.call_read(contract_id, function, arguments, sender=sender, tip=tip)
