"""What the chain says, for the audit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from registry.domain.units import Token
from registry.stacks.clarity import List, Some, StringAscii, Tuple, UInt, parse_principal
from workers.audit.api import Api, ChainUnreadable, fields_of, items_of, text, uint

IDS_A_READ = 50
TRIES = 10
SBTC_ASSET = "sbtc-token"
SUCCESS = "success"

Coins = Mapping[str, int]
"""Base units by token."""

NOTHING: Mapping[str, Coins] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A policy as the registry has it, whoever its counterparty is."""

    owner: str
    counterparty: str
    strike: int
    amount: int
    expiration: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A policy as our pool has it."""

    owner: str
    token: str
    collateral: int
    status: int
    payout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One token's pool, accrued to the block that it was read at."""

    assets: int
    locked: int
    unearned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One `policy-purchased`."""

    on_chain: int
    quote_id: str
    buyer: str
    token: str
    premium: int
    fee: int
    collateral: int
    tx_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One `policy-settled`; `received` is what its transaction moved from the pool to the owner."""

    on_chain: int
    owner: str
    token: str
    amount: int
    tx_id: str
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One `collateral-released`."""

    on_chain: int
    tx_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """What a provider deposited, or withdrew where it is negative."""

    provider: str
    token: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose coins move by our contracts alone: with what it began, what it has, what it paid for transactions.

    `refused` are the transactions it sent that did nothing, `touched` those of them that left an event.
    """

    opening: Coins
    balance: Coins
    network_fees: int
    refused: tuple[str, ...]
    touched: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All of it. Entries, positions and pools as of one block; the rest as of newer moments, when nothing moves."""

    pool: str
    treasury: str
    entries: Mapping[int, Entry]
    positions: Mapping[int, Position]
    pools: Mapping[str, Pool]
    balances: Coins
    booked: Coins
    purchases: tuple[Purchase, ...]
    payouts: tuple[Payout, ...]
    releases: tuple[Release, ...]
    deposits: tuple[Deposit, ...]
    logged: frozenset[str]
    accounts: Mapping[str, Account]
    nonces: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the node answers, and where the contracts stand."""

    stacks_url: str
    registry: str
    pool: str
    sbtc: str


class ChainReader:
    """Reads everything that the audit needs to know."""

    def __init__(self, addresses: Addresses) -> None:
        self._at = addresses
        self._api = Api(addresses.stacks_url)

    def close(self) -> None:
        """Give the sockets back."""
        self._api.close()

    def read(self, *, block: str, signers: Sequence[str], openings: Mapping[str, Coins] = NOTHING) -> Chain:
        """Read what the contracts hold at one block, and what they, the signers and some accounts have now.

        Instead of a block that a fork took back the newest one is read: whoever stands on it disagrees with the chain.
        """
        balances, booked = self._balances()
        at = block if self._api.holds(block) else self._api.tip().removeprefix("0x")
        entries, positions = self._policies(at)
        printed = [*self._api.logs(self._at.pool)]
        return Chain(
            pool=self._at.pool,
            treasury=text(self._api.call(self._at.pool, "get-treasury")),
            entries=entries,
            positions=positions,
            pools={token.value: self._pool(token, tip=at) for token in Token},
            balances=balances,
            booked=booked,
            purchases=tuple(_purchase(event, tx_id) for tx_id, event in _named(printed, "policy-purchased")),
            payouts=tuple(self._payout(event, tx_id) for tx_id, event in _named(printed, "policy-settled")),
            releases=tuple(
                Release(on_chain=uint(event["policy-id"]), tx_id=tx_id)
                for tx_id, event in _named(printed, "collateral-released")
            ),
            deposits=(*_deposits(printed, "funds-deposited", sign=1), *_deposits(printed, "funds-withdrawn", sign=-1)),
            logged=frozenset(tx_id for tx_id, _ in [*printed, *self._api.logs(self._at.registry)]),
            accounts={principal: self._account(principal, coins) for principal, coins in openings.items()},
            nonces={signer: int(self._api.account(signer)["nonce"]) for signer in signers},
        )

    def _policies(self, tip: str) -> tuple[dict[int, Entry], dict[int, Position]]:
        counter = uint(self._api.call(self._at.registry, "get-policy-counter", tip=tip))
        entries: dict[int, Entry] = {}
        positions: dict[int, Position] = {}
        for first in range(1, counter + 1, IDS_A_READ):
            ids = range(first, min(first + IDS_A_READ, counter + 1))
            asked = List(UInt(each) for each in ids)
            in_registry = items_of(self._api.call(self._at.registry, "get-policies", asked, tip=tip))
            in_pool = items_of(self._api.call(self._at.pool, "get-positions", asked, tip=tip))
            for each, policy, position in zip(ids, in_registry, in_pool, strict=True):
                if isinstance(policy, Some):
                    entries[each] = _entry(fields_of(policy.value))
                if isinstance(position, Some):
                    positions[each] = _position(fields_of(position.value))
        return entries, positions

    def _pool(self, token: Token, *, tip: str | None = None) -> Pool:
        fields = fields_of(self._api.call(self._at.pool, "get-pool", StringAscii(token.value), tip=tip))
        return Pool(assets=uint(fields["assets"]), locked=uint(fields["locked"]), unearned=uint(fields["unearned"]))

    def _balances(self) -> tuple[Coins, Coins]:
        """Read the pool's coins and what it books as its own between two blocks, so that both belong together."""
        for _ in range(TRIES):
            before = self._api.tip()
            balances = self._coins(self._at.pool)
            pools = {token.value: self._pool(token) for token in Token}
            if self._api.tip() == before:
                return balances, {token: pool.assets + pool.unearned for token, pool in pools.items()}
        raise ChainUnreadable(question="the pool's balances", reason="a block came each time in between")

    def _coins(self, principal: str) -> Coins:
        sbtc = self._api.call(self._at.sbtc, "get-balance", parse_principal(principal))
        return {Token.STX.value: int(self._api.account(principal)["balance"], 16), Token.SBTC.value: uint(sbtc)}

    def _account(self, principal: str, opening: Coins) -> Account:
        sent = [each for each in self._api.transactions(principal) if each["sender"]["address"] == principal]
        refused = [str(each["tx_id"]).removeprefix("0x") for each in sent if each["status"] != SUCCESS]
        return Account(
            opening=opening,
            balance=self._coins(principal),
            network_fees=sum(int(each["fee_rate"]) for each in sent),
            refused=tuple(refused),
            touched=tuple(tx_id for tx_id in refused if any(True for _ in self._api.events(tx_id))),
        )

    def _payout(self, event: Tuple, tx_id: str) -> Payout:
        owner, token = text(event["owner"]), text(event["token"])
        return Payout(
            on_chain=uint(event["policy-id"]),
            owner=owner,
            token=token,
            amount=uint(event["amount"]),
            tx_id=tx_id,
            # by the chain's own record of its transfers
            received=sum(self._transferred(each, owner=owner, token=token) for each in self._api.events(tx_id)),
        )

    def _transferred(self, event: Mapping[str, Any], *, owner: str, token: str) -> int:
        asset = event.get("stx_asset" if token == Token.STX else "ft_asset")
        if asset is None or (asset.get("sender"), asset.get("recipient")) != (self._at.pool, owner):
            return 0
        if token == Token.SBTC and asset["asset_identifier"] != f"{self._at.sbtc}::{SBTC_ASSET}":
            return 0
        return int(asset["amount"])


def _named(printed: Sequence[tuple[str, Tuple]], name: str) -> Iterator[tuple[str, Tuple]]:
    return ((tx_id, event) for tx_id, event in printed if text(event["event"]) == name)


def _purchase(event: Tuple, tx_id: str) -> Purchase:
    return Purchase(
        on_chain=uint(event["policy-id"]),
        quote_id=text(event["quote-id"]),
        buyer=text(event["buyer"]),
        token=text(event["token"]),
        premium=uint(event["premium"]),
        fee=uint(event["fee"]),
        collateral=uint(event["collateral"]),
        tx_id=tx_id,
    )


def _deposits(printed: Sequence[tuple[str, Tuple]], name: str, *, sign: int) -> Iterator[Deposit]:
    for _, event in _named(printed, name):
        amount = sign * uint(event["amount"])
        yield Deposit(provider=text(event["provider"]), token=text(event["token"]), amount=amount)


def _entry(policy: Tuple) -> Entry:
    return Entry(
        owner=text(policy["owner"]),
        counterparty=text(policy["counterparty"]),
        strike=uint(policy["protected-value"]),
        amount=uint(policy["protected-amount"]),
        expiration=uint(policy["expiration-height"]),
        status=uint(policy["status"]),
    )


def _position(position: Tuple) -> Position:
    return Position(
        owner=text(position["owner"]),
        token=text(position["token"]),
        collateral=uint(position["collateral"]),
        status=uint(position["status"]),
        payout=uint(position["payout"]),
    )
