"""The HTTP client, our calls and our events against the devnet: a real Clarity VM behind a node's endpoints."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
import requests

from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BlockHash, BurnHeight, Nonce, Principal, Sats, Token, TxId, Usd8
from registry.stacks import contracts as calls
from registry.stacks import outcomes
from registry.stacks.clarity import Buffer, Ok, StringAscii, UInt, from_hex, parse_principal
from registry.stacks.contract_reads import ChainPolicy, ContractReads, Position
from registry.stacks.contracts import Call, Contracts
from registry.stacks.events import (
    CollateralReleased,
    FundsDeposited,
    PolicyCreated,
    PolicyPurchased,
    PolicySettled,
    PolicyStatusUpdated,
    QuoteSignerSet,
    decode_event,
)
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Accepted,
    BroadcastReason,
    CallReadFailed,
    ChainStatus,
    ContractLog,
    Rejected,
    SeenTransaction,
    TipGone,
)
from registry.stacks.outcomes import Payout, Refused
from registry.stacks.principals import ContractPrincipal
from registry.stacks.quote import QuoteTerms, quote_hash, sign_quote
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wallet import wallet_payload
from registry.stacks.wire import (
    TESTNET,
    Condition,
    ContractCall,
    Payload,
    PostConditionMode,
    SmartContract,
    StxPostCondition,
    TokenTransfer,
    Transaction,
)

ROOT = Path(__file__).parents[2]
CLARITY = 3
FEE = 50_000

DEPLOYER = PrivateKey.from_hex("11" * 32 + "01")
BACKEND = PrivateKey.from_hex("22" * 32 + "01")
SIGNER = PrivateKey.from_hex("33" * 32 + "01")
BUYER = PrivateKey.from_hex("44" * 32 + "01")
STRANGER = PrivateKey.from_hex("55" * 32 + "01")

ADDRESS = DEPLOYER.address(TESTNET)
OWNER = Principal(BUYER.address(TESTNET))
CONTRACTS = Contracts(
    registry=Principal(f"{ADDRESS}.policy-registry"),
    pool=Principal(f"{ADDRESS}.liquidity-pool"),
    sbtc=Principal(f"{ADDRESS}.sbtc-token"),
    network=TESTNET,
)
QUOTE_IDS = (number.to_bytes(16, "big") for number in count(1))


@dataclass(frozen=True, slots=True)
class Devnet:
    """A running devnet: the client under test, and the orders that no node takes."""

    url: str
    node: HttpNode

    def order(self, name: str, **body: object) -> dict[str, object]:
        answer = requests.post(f"{self.url}/devnet/{name}", json=body, timeout=10)
        assert answer.ok, answer.text
        told: dict[str, object] = answer.json()
        return told

    def signed(self, key: PrivateKey, payload: Payload, *, nonce: int | None = None, fee: int = FEE) -> Transaction:
        used = self.node.account(Principal(key.address(TESTNET))).nonce if nonce is None else nonce
        allow = PostConditionMode.ALLOW  # these wallets of the test trust what they call
        origin = key.spend(nonce=used, fee=fee)
        unsigned = Transaction(network=TESTNET, origin=origin, post_condition_mode=allow, payload=payload)
        return sign(unsigned, key)

    def run(self, transaction: Transaction) -> SeenTransaction:
        """Send, mine, look."""
        accepted = self.node.broadcast(transaction.encode())
        assert accepted == Accepted(txid=TxId(transaction.txid))
        self.order("mine")
        seen = self.node.transaction(TxId(transaction.txid))
        assert seen is not None
        return seen

    def run_call(self, key: PrivateKey, call: Call) -> SeenTransaction:
        nonce = self.node.account(Principal(key.address(TESTNET))).nonce
        return self.run(sign(call.transaction(key.spend(nonce=nonce, fee=FEE), network=TESTNET), key))

    def logs_of(self, txid: TxId, contract_id: Principal) -> tuple[ContractLog, ...]:
        return tuple(log for log in self.node.logs(contract_id).logs if log.txid == txid)


@pytest.fixture(scope="module")
def devnet(devnet_url: str) -> Iterator[Devnet]:
    node = HttpNode(devnet_url)
    running = Devnet(devnet_url, node)
    deploy(running)
    yield running
    node.close()


def deploy(devnet: Devnet) -> None:
    """Deploy the contracts, appoint backend and quote signer, and lend the pool both tokens."""
    for key in (DEPLOYER, BACKEND, BUYER, STRANGER):
        devnet.order("mint", recipient=key.address(TESTNET), amount=str(10**13))
    for name in ("sip-010-trait", "sbtc-token", "policy-registry", "liquidity-pool"):
        code = (ROOT / "contracts" / f"{name}.clar").read_text()
        payload = SmartContract(name=name, code=code, clarity_version=CLARITY)
        seen = devnet.run(devnet.signed(DEPLOYER, payload, fee=10**6))
        assert seen.status is ChainStatus.SUCCESS, name
    backend, signer = (parse_principal(key.address(TESTNET)) for key in (BACKEND, SIGNER))
    call(devnet, CONTRACTS.registry, "set-backend-principal", backend)
    call(devnet, CONTRACTS.pool, "set-quote-signer", signer)
    for holder in (ADDRESS, OWNER):
        call(devnet, CONTRACTS.sbtc, "mint", UInt(10**10), parse_principal(holder))
    call(devnet, CONTRACTS.pool, "deposit", StringAscii("STX"), UInt(10**12))
    call(devnet, CONTRACTS.pool, "deposit", StringAscii("sBTC"), UInt(10**9))


def call(devnet: Devnet, contract_id: Principal, function: str, *arguments: object) -> SeenTransaction:
    payload = ContractCall(
        contract=ContractPrincipal.parse(contract_id),
        function=function,
        arguments=arguments,  # type: ignore[arg-type]
    )
    seen = devnet.run(devnet.signed(DEPLOYER, payload))
    assert seen.status is ChainStatus.SUCCESS, function
    return seen


def quote(devnet: Devnet, token: Token, *, blocks: int = 144) -> QuoteTerms:
    height = devnet.node.tip().burn_height
    return QuoteTerms(
        quote_id=next(QUOTE_IDS),
        buyer=OWNER,
        token=token,
        premium=BaseUnits(10_100),
        protected_value=Usd8(5_000_000_000_000),
        protected_amount=Sats(10_000_000),
        expiration_height=BurnHeight(height + blocks),
        policy_type="PUT",
        fee=BaseUnits(100),
        collateral=BaseUnits(1_000_000),
        valid_until_height=BurnHeight(height + 2),
    )


def buy(devnet: Devnet, terms: QuoteTerms) -> tuple[int, SeenTransaction]:
    """Sign what a wallet is asked to sign, as it would read it."""
    payload = wallet_payload(CONTRACTS, terms, sign_quote(CONTRACTS, terms, key=SIGNER))
    arguments = payload["functionArgs"]
    assert isinstance(arguments, list)
    contract = ContractPrincipal.parse(str(payload["contract"]))
    bought = ContractCall(
        contract=contract,
        function=str(payload["functionName"]),
        arguments=tuple(from_hex(each) for each in arguments),
    )
    holder = parse_principal(OWNER)
    amount = int(payload["postConditions"][0]["amount"])  # type: ignore[index]
    condition = (
        StxPostCondition(holder=holder, condition=Condition.EQUAL, amount=amount)
        if terms.token is Token.STX
        else replace(
            calls.settle_policy(CONTRACTS, 1, amount=BaseUnits(amount), token=Token.SBTC).post_conditions[0],
            holder=holder,
        )
    )
    seen = devnet.run_call(BUYER, Call(payload=bought, post_conditions=(condition,)))
    assert seen.status is ChainStatus.SUCCESS
    (created,) = devnet.logs_of(seen.txid, CONTRACTS.registry)
    event = decode_event(CONTRACTS, created.contract_id, created.raw)
    assert isinstance(event, PolicyCreated)
    return event.policy_id, seen


def test_blocks_hang_together_from_the_tip_down(devnet: Devnet) -> None:
    tip = devnet.node.tip()
    listed = devnet.node.blocks(limit=3)
    assert listed[0] == tip
    assert listed[0].parent_index_block_hash == listed[1].index_block_hash
    assert listed[2] == devnet.node.blocks(limit=1, offset=2)[0]
    assert devnet.node.block(tip.index_block_hash) == devnet.node.block(tip.height) == tip
    assert devnet.node.block(BlockHash("00" * 32)) is None


def test_the_node_tells_its_network_and_rates(devnet: Devnet) -> None:
    info, tip = devnet.node.info(), devnet.node.tip()
    assert info.network_id == TESTNET.chain_id
    assert (info.burn_block_height, info.stacks_tip_height) == (tip.burn_height, tip.height)
    assert info.is_fully_synced
    assert devnet.node.fee_rate() >= 1
    payload = calls.release_collateral(CONTRACTS, 1).payload.encode()
    estimates = devnet.node.fee_estimate(payload, estimated_len=200)
    assert estimates is not None
    assert 200 <= estimates[0] <= estimates[1] <= estimates[2]
    stranger = replace(CONTRACTS, pool=Principal(f"{ADDRESS}.no-pool"))
    unknown = calls.release_collateral(stranger, 1).payload.encode()
    assert devnet.node.fee_estimate(unknown, estimated_len=200) is None


def test_contracts_exist_only_where_they_were_deployed(devnet: Devnet) -> None:
    assert devnet.node.contract_exists(CONTRACTS.pool)
    assert not devnet.node.contract_exists(Principal(f"{OWNER}.liquidity-pool"))


def test_a_purchase_in_stx_registers_locks_and_tells(devnet: Devnet) -> None:
    terms = quote(devnet, Token.STX)
    policy_id, seen = buy(devnet, terms)
    assert seen.block is not None
    (purchased,) = devnet.logs_of(seen.txid, CONTRACTS.pool)
    assert decode_event(CONTRACTS, purchased.contract_id, purchased.raw) == PolicyPurchased(
        quote_id=terms.quote_id,
        policy_id=policy_id,
        buyer=OWNER,
        token=Token.STX,
        premium=terms.premium,
        fee=terms.fee,
        collateral=terms.collateral,
    )
    reads = ContractReads(node=devnet.node, contracts=CONTRACTS)
    here = seen.block.index_block_hash
    assert reads.get_policies([policy_id, 9_999], tip=here) == (
        ChainPolicy(
            owner=OWNER,
            counterparty=CONTRACTS.pool,
            protected_value=terms.protected_value,
            protected_amount=terms.protected_amount,
            expiration_height=terms.expiration_height,
            policy_type="PUT",
            status=OnChainStatus.ACTIVE,
        ),
        None,
    )
    assert reads.get_positions([policy_id], tip=here) == (
        Position(
            owner=OWNER,
            token=Token.STX,
            collateral=terms.collateral,
            status=OnChainStatus.ACTIVE,
            payout=BaseUnits(0),
        ),
    )
    assert reads.get_quote_policy(terms.quote_id, tip=here) == policy_id
    assert reads.get_policy_counter(tip=here) == policy_id


def test_a_read_at_an_earlier_block_does_not_see_what_came_later(devnet: Devnet) -> None:
    reads = ContractReads(node=devnet.node, contracts=CONTRACTS)
    before = devnet.node.tip()
    terms = quote(devnet, Token.STX)
    policy_id, _ = buy(devnet, terms)
    assert reads.get_quote_policy(terms.quote_id, tip=before.index_block_hash) is None
    assert reads.get_quote_policy(terms.quote_id) == policy_id
    locked = reads.get_pool(Token.STX).locked - reads.get_pool(Token.STX, tip=before.index_block_hash).locked
    assert locked == terms.collateral
    with pytest.raises(TipGone):
        reads.get_policy_counter(tip=BlockHash("00" * 32))


@pytest.mark.parametrize("token", Token)
def test_a_settlement_pays_the_owner_once(devnet: Devnet, token: Token) -> None:
    policy_id, _ = buy(devnet, quote(devnet, token))
    call = calls.settle_policy(CONTRACTS, policy_id, amount=BaseUnits(640_000), token=token)
    paid = devnet.run_call(BACKEND, call)
    assert paid.status is ChainStatus.SUCCESS
    assert paid.result is not None
    payout = outcomes.settlement(paid.result)
    assert payout == Payout(token=token, collateral=BaseUnits(1_000_000), payout=BaseUnits(640_000))
    (settled,) = devnet.logs_of(paid.txid, CONTRACTS.pool)
    assert decode_event(CONTRACTS, settled.contract_id, settled.raw) == PolicySettled(
        policy_id=policy_id,
        owner=OWNER,
        token=token,
        amount=BaseUnits(640_000),
        collateral=BaseUnits(1_000_000),
    )
    again = devnet.run_call(BACKEND, call)
    assert again.status is ChainStatus.ABORT_BY_RESPONSE
    assert again.result is not None
    assert outcomes.settlement(again.result) == Refused(code=207)


def test_a_batch_of_expirations_stands_or_falls_entry_by_entry(devnet: Devnet) -> None:
    short, _ = buy(devnet, quote(devnet, Token.SBTC, blocks=3))
    long, _ = buy(devnet, quote(devnet, Token.STX))
    devnet.order("burn", blocks=5)
    expired = devnet.run_call(BACKEND, calls.expire_policies(CONTRACTS, [long, short, 9_999]))
    assert expired.status is ChainStatus.SUCCESS
    assert expired.result is not None
    assert outcomes.expirations(expired.result, count=3) == (
        Refused(code=104),
        Payout(token=Token.SBTC, collateral=BaseUnits(1_000_000), payout=BaseUnits(0)),
        Refused(code=101),
    )
    (released,) = devnet.logs_of(expired.txid, CONTRACTS.pool)
    event = decode_event(CONTRACTS, released.contract_id, released.raw)
    assert event == CollateralReleased(policy_id=short, owner=OWNER, token=Token.SBTC, collateral=BaseUnits(1_000_000))


def test_the_two_steps_of_an_expiration_come_to_the_same(devnet: Devnet) -> None:
    policy_id, _ = buy(devnet, quote(devnet, Token.STX, blocks=3))
    early = devnet.run_call(BACKEND, calls.release_collateral(CONTRACTS, policy_id))
    assert early.result is not None
    assert outcomes.settlement(early.result) == Refused(code=212)
    devnet.order("burn", blocks=5)
    update = calls.update_policy_status(CONTRACTS, policy_id, OnChainStatus.EXPIRED)
    moved = devnet.run_call(BACKEND, update)
    assert moved.result is not None
    assert outcomes.acknowledgement(moved.result) is None
    (updated,) = devnet.logs_of(moved.txid, CONTRACTS.registry)
    event = decode_event(CONTRACTS, updated.contract_id, updated.raw)
    assert isinstance(event, PolicyStatusUpdated)
    assert (event.policy_id, event.new_status) == (policy_id, OnChainStatus.EXPIRED)
    freed = devnet.run_call(BACKEND, calls.release_collateral(CONTRACTS, policy_id))
    assert freed.result is not None
    payout = outcomes.settlement(freed.result)
    assert payout == Payout(token=Token.STX, collateral=BaseUnits(1_000_000), payout=BaseUnits(0))


def test_a_payout_of_another_amount_than_the_condition_is_undone(devnet: Devnet) -> None:
    policy_id, _ = buy(devnet, quote(devnet, Token.STX))
    right = calls.settle_policy(CONTRACTS, policy_id, amount=BaseUnits(500), token=Token.STX)
    wrong = calls.settle_policy(CONTRACTS, policy_id, amount=BaseUnits(499), token=Token.STX)
    seen = devnet.run_call(BACKEND, replace(right, post_conditions=wrong.post_conditions))
    assert seen.status is ChainStatus.ABORT_BY_POST_CONDITION
    assert devnet.logs_of(seen.txid, CONTRACTS.pool) == ()
    assert devnet.run_call(BACKEND, right).status is ChainStatus.SUCCESS


def test_the_contract_hashes_a_quote_as_we_do(devnet: Devnet) -> None:
    terms = quote(devnet, Token.SBTC)
    arguments = (
        parse_principal(terms.buyer),
        StringAscii("sBTC"),
        Buffer(terms.quote_id),
        UInt(terms.premium),
        terms.to_clarity(),
    )
    hashed = devnet.node.call_read(CONTRACTS.pool, "get-quote-hash", arguments, sender=OWNER)
    assert hashed == Buffer(quote_hash(CONTRACTS, terms))


def test_reads_of_what_is_not_there_fail_by_name(devnet: Devnet) -> None:
    with pytest.raises(CallReadFailed, match="no-such-function"):
        devnet.node.call_read(CONTRACTS.pool, "no-such-function", sender=OWNER)
    with pytest.raises(CallReadFailed, match="NoSuchContract"):
        devnet.node.call_read(Principal(f"{OWNER}.liquidity-pool"), "get-pool", sender=OWNER)


def test_every_log_is_an_event_of_ours_and_pages_meet(devnet: Devnet) -> None:
    for contract_id in (CONTRACTS.registry, CONTRACTS.pool):
        whole = devnet.node.logs(contract_id)
        assert whole.total == len(whole.logs)
        paged: list[ContractLog] = []
        page = devnet.node.logs(contract_id, limit=2)
        paged.extend(page.logs)
        while page.older is not None:
            page = devnet.node.logs(contract_id, limit=2, cursor=page.older)
            paged.extend(page.logs)
        assert tuple(paged) == whole.logs
        assert devnet.node.logs(contract_id, limit=2, offset=1).logs == whole.logs[1:3]
        events = [decode_event(CONTRACTS, contract_id, log.raw) for log in whole.logs]
        assert {type(event).__module__ for event in events} == {PolicyCreated.__module__}
    names = {type(event) for event in events}
    assert {QuoteSignerSet, FundsDeposited, PolicyPurchased} <= names


def test_a_signers_transactions_are_listed_newest_first(devnet: Devnet) -> None:
    sender = Principal(DEPLOYER.address(TESTNET))
    seen: list[SeenTransaction] = []
    page = devnet.node.principal_transactions(sender, limit=3)
    seen.extend(page.transactions)
    while page.older is not None:
        page = devnet.node.principal_transactions(sender, limit=3, cursor=page.older)
        seen.extend(page.transactions)
    nonces = [each.nonce for each in seen if each.sender == sender]
    assert nonces == list(reversed(range(devnet.node.account(sender).nonce)))
    assert all(each.block is not None and each.result is None for each in seen)


def test_rejections_come_with_the_nodes_reason(devnet: Devnet) -> None:
    transfer = TokenTransfer(recipient=parse_principal(OWNER), amount=5)
    poor = PrivateKey.from_hex("66" * 32 + "01")
    stale = devnet.node.broadcast(devnet.signed(DEPLOYER, transfer, nonce=0).encode())
    assert isinstance(stale, Rejected)
    assert stale.reason is BroadcastReason.BAD_NONCE
    assert stale.data["expected"] == devnet.node.account(Principal(ADDRESS)).nonce
    cheap = devnet.node.broadcast(devnet.signed(DEPLOYER, transfer, fee=1).encode())
    broke = devnet.node.broadcast(devnet.signed(poor, transfer, nonce=0).encode())
    garbage = devnet.node.broadcast(b"\x80\x00")
    verdicts = [each.reason for each in (cheap, broke, garbage) if isinstance(each, Rejected)]
    assert verdicts == [
        BroadcastReason.FEE_TOO_LOW,
        BroadcastReason.NOT_ENOUGH_FUNDS,
        BroadcastReason.DESERIALIZATION,
    ]


def test_a_transaction_is_pending_known_again_and_then_gone(devnet: Devnet) -> None:
    sender = Principal(STRANGER.address(TESTNET))
    devnet.run(devnet.signed(STRANGER, TokenTransfer(recipient=parse_principal(OWNER), amount=5)))
    later = devnet.signed(STRANGER, TokenTransfer(recipient=parse_principal(OWNER), amount=5), nonce=3)
    txid = TxId(later.txid)
    assert devnet.node.broadcast(later.encode()) == Accepted(txid=txid)
    assert devnet.node.broadcast(later.encode()) == Accepted(txid=txid)
    pending = devnet.node.transaction(txid)
    assert pending is not None
    assert (pending.status, pending.block, pending.nonce) == (ChainStatus.PENDING, None, 3)
    nonces = devnet.node.nonces(sender)
    assert (nonces.next_nonce, nonces.last_confirmed) == (4, 0)
    assert (nonces.pending, nonces.missing) == ((Nonce(3),), (Nonce(1), Nonce(2)))
    devnet.order("drop", txid=txid)
    assert devnet.node.transaction(txid) is None


def test_a_fork_takes_blocks_and_logs_with_it(devnet: Devnet) -> None:
    policy_id, seen = buy(devnet, quote(devnet, Token.STX))
    assert seen.block is not None
    devnet.order("reorg", depth=1)
    assert devnet.node.block(seen.block.index_block_hash) is None
    assert devnet.logs_of(seen.txid, CONTRACTS.registry) == ()
    returned = devnet.node.transaction(seen.txid)
    assert returned is not None
    assert returned.status is ChainStatus.PENDING
    devnet.order("mine")
    again = devnet.node.transaction(seen.txid)
    assert again is not None
    assert again.block is not None
    assert again.block.index_block_hash != seen.block.index_block_hash
    reads = ContractReads(node=devnet.node, contracts=CONTRACTS)
    assert reads.get_policy_counter() == policy_id
    with pytest.raises(TipGone):
        reads.get_policy_counter(tip=seen.block.index_block_hash)


def test_the_appointed_are_read_from_the_contracts(devnet: Devnet) -> None:
    reads = ContractReads(node=devnet.node, contracts=CONTRACTS)
    assert reads.get_backend_principal() == BACKEND.address(TESTNET)
    assert reads.get_quote_signer() == SIGNER.address(TESTNET)


def test_the_pools_balance_is_what_it_says_it_holds(devnet: Devnet) -> None:
    pool = ContractReads(node=devnet.node, contracts=CONTRACTS).get_pool(Token.SBTC)
    holder = parse_principal(CONTRACTS.pool)
    balance = devnet.node.call_read(CONTRACTS.sbtc, "get-balance", [holder], sender=OWNER)
    assert balance == Ok(UInt(pool.assets + pool.unearned))
    assert pool.locked <= pool.assets
