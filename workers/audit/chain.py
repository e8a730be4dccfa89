"""What the chain says, for the audit: read over HTTP by calls of its own, through the Clarity codec alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from registry.domain.errors import Unavailable
from registry.domain.units import Token
from registry.stacks import clarity
from registry.stacks.clarity import (
    ContractPrincipal,
    List,
    NoneValue,
    Ok,
    Some,
    StandardPrincipal,
    StringAscii,
    Tuple,
    UInt,
    Value,
    parse_principal,
)

ANSWER_SECONDS = 20.0
IDS_A_READ = 50
LOGS_A_PAGE = 100
TRIES = 10
SBTC_ASSET = "sbtc-token"


class ChainUnreadable(Unavailable):
    """The chain did not answer a question of the audit."""

    code = "chain_unreadable"
    sentence = "the chain could not be read: {question}: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A policy of our pool: the registry's status of it, and what the pool keeps."""

    owner: str
    status: int
    token: str
    collateral: int
    position_status: int
    payout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One token's pool, accrued to the block that it was read at."""

    assets: int
    locked: int
    unearned: int


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
class Chain:
    """All of it. Positions and pools as of one block; `balances` and `booked` as of one newer moment."""

    positions: Mapping[int, Position]
    pools: Mapping[str, Pool]
    balances: Mapping[str, int]
    booked: Mapping[str, int]
    payouts: tuple[Payout, ...]
    nonces: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the node answers, and where the contracts stand."""

    stacks_url: str
    registry: str
    pool: str
    sbtc: str


class ChainReader:
    """Asks a node and its API."""

    def __init__(self, addresses: Addresses) -> None:
        self._at = addresses
        self._session = requests.Session()
        self._session.trust_env = False

    def read(self, *, block: str, signers: Sequence[str]) -> Chain:
        """Read what the contracts hold at one block, and what they and the signers have now."""
        balances, booked = self._balances()
        return Chain(
            positions=self._positions(block),
            pools={token.value: self._pool(token, tip=block) for token in Token},
            balances=balances,
            booked=booked,
            payouts=tuple(self._payouts()),
            nonces={signer: int(self._get(f"/v2/accounts/{signer}?proof=0")["nonce"]) for signer in signers},
        )

    def close(self) -> None:
        """Give the sockets back."""
        self._session.close()

    def _positions(self, tip: str) -> dict[int, Position]:
        counter = _uint(self._call(self._at.registry, "get-policy-counter", tip=tip))
        found: dict[int, Position] = {}
        for first in range(1, counter + 1, IDS_A_READ):
            ids = range(first, min(first + IDS_A_READ, counter + 1))
            asked = List(UInt(each) for each in ids)
            policies = self._call(self._at.registry, "get-policies", asked, tip=tip)
            positions = self._call(self._at.pool, "get-positions", asked, tip=tip)
            for each, policy, position in zip(ids, _items(policies), _items(positions), strict=True):
                if isinstance(position, Some) and isinstance(policy, Some):
                    found[each] = _position(_tuple(policy.value), _tuple(position.value))
        return found

    def _pool(self, token: Token, *, tip: str | None = None) -> Pool:
        answer = self._call(self._at.pool, "get-pool", StringAscii(token.value), tip=tip)
        fields = _tuple(answer.value if isinstance(answer, Some) else answer)
        return Pool(assets=_uint(fields["assets"]), locked=_uint(fields["locked"]), unearned=_uint(fields["unearned"]))

    def _balances(self) -> tuple[dict[str, int], dict[str, int]]:
        """Read the pool's coins and what it books as its own between two blocks, so that both belong together."""
        for _ in range(TRIES):
            before = self._tip()
            balances = {Token.STX.value: self._stx_balance(), Token.SBTC.value: self._sbtc_balance()}
            pools = {token.value: self._pool(token) for token in Token}
            if self._tip() == before:
                return balances, {token: pool.assets + pool.unearned for token, pool in pools.items()}
        raise ChainUnreadable(question="the pool's balances", reason="a block came each time in between")

    def _tip(self) -> str:
        return str(self._get("/extended/v2/blocks?limit=1")["results"][0]["index_block_hash"])

    def _stx_balance(self) -> int:
        return int(self._get(f"/v2/accounts/{self._at.pool}?proof=0")["balance"], 16)

    def _sbtc_balance(self) -> int:
        answer = self._call(self._at.sbtc, "get-balance", parse_principal(self._at.pool))
        return _uint(answer.value if isinstance(answer, Ok) else answer)

    def _payouts(self) -> Iterator[Payout]:
        for tx_id, event in self._settled_events():
            owner, token, amount = _text(event["owner"]), _text(event["token"]), _uint(event["amount"])
            yield Payout(
                on_chain=_uint(event["policy-id"]),
                owner=owner,
                token=token,
                amount=amount,
                tx_id=tx_id.removeprefix("0x"),
                received=self._moved(tx_id, owner=owner, token=token),
            )

    def _settled_events(self) -> Iterator[tuple[str, Tuple]]:
        offset = 0
        while True:
            path = f"/extended/v2/smart-contracts/{self._at.pool}/logs?limit={LOGS_A_PAGE}&offset={offset}"
            page = self._get(path)
            for log in page["results"]:
                event = clarity.from_hex(log["contract_log"]["value"]["hex"])
                if isinstance(event, Tuple) and "event" in event and _text(event["event"]) == "policy-settled":
                    yield str(log["tx_id"]), event
            offset += LOGS_A_PAGE
            if offset >= int(page["total"]):
                return

    def _moved(self, tx_id: str, *, owner: str, token: str) -> int:
        """Sum what one transaction moved from the pool to an owner, by the chain's own record of its transfers."""
        total, cursor = 0, ""
        while True:
            page = self._get(f"/extended/v3/transactions/{tx_id}/events?limit=100{cursor}")
            total += sum(self._transferred(event, owner=owner, token=token) for event in page["results"])
            following = page["cursor"]["next"]
            if following is None:
                return total
            cursor = f"&cursor={following}"

    def _transferred(self, event: Mapping[str, Any], *, owner: str, token: str) -> int:
        asset = event.get("stx_asset" if token == Token.STX else "ft_asset")
        if asset is None or (asset.get("sender"), asset.get("recipient")) != (self._at.pool, owner):
            return 0
        if token == Token.SBTC and asset["asset_identifier"] != f"{self._at.sbtc}::{SBTC_ASSET}":
            return 0
        return int(asset["amount"])

    def _call(self, contract: str, function: str, *arguments: Value, tip: str | None = None) -> Value:
        address, _, name = contract.partition(".")
        path = f"/v2/contracts/call-read/{address}/{name}/{function}" + ("" if tip is None else f"?tip={tip}")
        body = {"sender": address, "arguments": [f"0x{clarity.to_hex(value)}" for value in arguments]}
        answer = self._ask("POST", path, body)
        if not answer["okay"]:
            raise ChainUnreadable(question=path, reason=str(answer.get("cause")))
        return clarity.from_hex(answer["result"])

    def _get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._at.stacks_url + path, json=body, timeout=ANSWER_SECONDS)
            answer.raise_for_status()
            fields: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise ChainUnreadable(question=f"{method} {path}", reason=str(error)) from error
        return fields


def _position(policy: Tuple, position: Tuple) -> Position:
    return Position(
        owner=_text(policy["owner"]),
        status=_uint(policy["status"]),
        token=_text(position["token"]),
        collateral=_uint(position["collateral"]),
        position_status=_uint(position["status"]),
        payout=_uint(position["payout"]),
    )


def _uint(value: Value) -> int:
    if not isinstance(value, UInt):
        raise ChainUnreadable(question="a uint", reason=f"it is {value}")
    return value.value


def _text(value: Value) -> str:
    if isinstance(value, StringAscii):
        return value.value
    if isinstance(value, StandardPrincipal | ContractPrincipal):
        return str(value)
    raise ChainUnreadable(question="a text", reason=f"it is {value}")


def _tuple(value: Value) -> Tuple:
    if not isinstance(value, Tuple):
        raise ChainUnreadable(question="a tuple", reason=f"it is {value}")
    return value


def _items(value: Value) -> Sequence[Value | NoneValue]:
    if not isinstance(value, List):
        raise ChainUnreadable(question="a list", reason=f"it is {value}")
    return value.items
