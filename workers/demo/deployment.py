"""The contracts on a devnet: deployed, told who may do what, and given a pool that can pay."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.domain.errors import RegistryError
from registry.domain.units import BaseUnits, MicroStx, Principal, Sats, Token, TxId
from registry.stacks.clarity import StringAscii, UInt, Value, parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.network import TESTNET
from registry.stacks.node import Accepted, ChainStatus, StacksNode
from registry.stacks.principals import ContractPrincipal
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wire import ContractCall, Payload, PostConditionMode, SmartContract, Transaction
from workers.demo.devnet import Devnet
from workers.demo.wallets import Wallet
from workers.deployment.duties import Duty, naming
from workers.deployment.sources import CLARITY_VERSION, our_sources

FEE_PER_BYTE = 2

POCKET_MONEY = MicroStx(100_000 * 10**6)
POOL: dict[Token, BaseUnits] = {Token.STX: BaseUnits(2_000_000 * 10**6), Token.SBTC: BaseUnits(100 * 10**8)}
PURSE = Sats(10**8)


class DeploymentFailed(RegistryError):
    """A transaction of the set-up did nothing."""

    code = "deployment_failed"
    sentence = "{what} was not done: {reason}"
    remedy = "look at the devnet's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who takes part besides the owners of policies, each with a key made for this run."""

    deployer: Wallet = field(default_factory=lambda: Wallet(name="deployer"))
    backend: Wallet = field(default_factory=lambda: Wallet(name="backend"))
    quote_signer: Wallet = field(default_factory=lambda: Wallet(name="quote-signer"))
    treasury: Wallet = field(default_factory=lambda: Wallet(name="treasury"))
    provider: Wallet = field(default_factory=lambda: Wallet(name="provider"))

    def contract(self, name: str) -> Principal:
        """Where a contract of ours stands once it is deployed."""
        return Principal(f"{self.deployer.address}.{name}")

    @property
    def contracts(self) -> Contracts:
        """All of them, as who speaks to them knows them."""
        return Contracts(
            registry=self.contract("policy-registry"),
            pool=self.contract("liquidity-pool"),
            sbtc=self.contract("sbtc-token"),
            network=TESTNET,
        )


class Account:
    """A key that spends: signs one transaction after another and sends it."""

    def __init__(self, wallet: Wallet, node: StacksNode) -> None:
        self._key = PrivateKey.from_hex(wallet.key)
        self._node = node
        self._nonce: int = node.account(wallet.address).nonce

    def send(self, what: str, payload: Payload) -> TxId:
        """Send one transaction that may move what it likes; `what` names it when it fails."""
        fee = FEE_PER_BYTE * (len(payload.encode()) + 200)
        unsigned = Transaction(
            network=TESTNET,
            origin=self._key.spend(nonce=self._nonce, fee=fee),
            post_condition_mode=PostConditionMode.ALLOW,
            payload=payload,
        )
        answer = self._node.broadcast(sign(unsigned, self._key).encode())
        if not isinstance(answer, Accepted):
            raise DeploymentFailed(what=what, reason=f"{answer.reason} {answer.message}")
        self._nonce += 1
        return answer.txid

    def call(self, contract: Principal, function: str, *arguments: Value) -> TxId:
        """Call a function of a contract."""
        payload = ContractCall(contract=ContractPrincipal.parse(contract), function=function, arguments=arguments)
        return self.send(f"{contract} {function}", payload)


def deploy(cast: Cast, owners: Sequence[Wallet], *, devnet: Devnet, node: StacksNode) -> None:
    """Deploy the contracts, name backend, quote signer and treasury, fund everyone, and fill both pools."""
    for wallet in (cast.deployer, cast.backend, *owners):
        devnet.mint(wallet.address, POCKET_MONEY)
    devnet.mint(cast.provider.address, MicroStx(POCKET_MONEY + POOL[Token.STX]))
    deployer = Account(cast.deployer, node)
    _done([_deploy(deployer, *source) for source in our_sources(cast.contracts).items()], devnet=devnet, node=node)
    _done([*_appoint(cast, deployer), *_mint(cast, owners, deployer)], devnet=devnet, node=node)
    provider = Account(cast.provider, node)
    deposits = [
        provider.call(cast.contract("liquidity-pool"), "deposit", StringAscii(token.value), UInt(amount))
        for token, amount in POOL.items()
    ]
    _done(deposits, devnet=devnet, node=node)


def openings(cast: Cast, owners: Sequence[Wallet]) -> dict[str, dict[str, int]]:
    """What those had whose coins move by our contracts alone, before the first of them moved; the treasury nothing."""
    nothing = {token.value: 0 for token in Token}
    return {
        cast.treasury.address: nothing,
        cast.provider.address: {
            Token.STX.value: POCKET_MONEY + POOL[Token.STX],
            Token.SBTC.value: int(POOL[Token.SBTC]),
        },
        **{owner.address: {Token.STX.value: POCKET_MONEY, Token.SBTC.value: PURSE} for owner in owners},
    }


def _deploy(deployer: Account, name: str, code: str) -> TxId:
    return deployer.send(name, SmartContract(name=name, code=code, clarity_version=CLARITY_VERSION))


def _appoint(cast: Cast, deployer: Account) -> list[TxId]:
    named = {Duty.BACKEND: cast.backend, Duty.QUOTE_SIGNER: cast.quote_signer, Duty.TREASURY: cast.treasury}
    return [
        deployer.send(f"naming the {duty}", naming(cast.contracts, duty, wallet.address))
        for duty, wallet in named.items()
    ]


def _mint(cast: Cast, owners: Sequence[Wallet], deployer: Account) -> list[TxId]:
    sbtc = cast.contract("sbtc-token")
    shares = {cast.provider: int(POOL[Token.SBTC]), **dict.fromkeys(owners, int(PURSE))}
    return [
        deployer.call(sbtc, "mint", UInt(amount), parse_principal(wallet.address)) for wallet, amount in shares.items()
    ]


def _done(txids: Sequence[TxId], *, devnet: Devnet, node: StacksNode) -> None:
    """Seal a block and see that every one of these transactions did what it should."""
    devnet.mine()
    for txid in txids:
        seen = node.transaction(txid)
        if seen is None or seen.status is not ChainStatus.SUCCESS:
            status = seen.status if seen else "not in the block"
            raise DeploymentFailed(what=f"transaction {txid}", reason=str(status))
