"""An operator's order to deploy, checked against settings and chain before anything is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from registry.domain.errors import BadRequest, Refusal
from registry.domain.height import Depths
from registry.domain.units import MICRO_PER_STX, Principal
from registry.settings import Settings
from registry.stacks.clarity import parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.errors import DecodeError
from registry.stacks.node import StacksNode
from registry.stacks.principals import ContractPrincipal
from registry.stacks.signing import PrivateKey
from workers.deployment.duties import Duty
from workers.deployment.plan import Plan, make_plan
from workers.deployment.sender import Fees, Patience, Sender
from workers.deployment.sources import SBTC, deployer_of, has_own_sbtc
from workers.runtime import UnusableKey, read_key


class WrongNetwork(Refusal):
    """The node is of another chain than the settings say."""

    code = "wrong_network"
    sentence = "the node is of network {found}, REGISTRY_NETWORK={network} is {expected}"
    remedy = "correct REGISTRY_NETWORK or REGISTRY_STACKS_URL"


class NotTheAdmin(Refusal):
    """The contracts of the settings would be deployed by another key."""

    code = "not_the_admin"
    sentence = "this key deploys as {address}, the settings name {deployer}"
    remedy: ClassVar[str] = (
        "use the other key, or set REGISTRY_REGISTRY_CONTRACT={address}.policy-registry and "
        "REGISTRY_POOL_CONTRACT={address}.liquidity-pool"
    )


class TooDear(Refusal):
    """The fees are more than was allowed, or than the admin has."""

    code = "too_dear"
    sentence = "the fees come to {fees} micro-STX, {bound}"
    remedy = "{do}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the operator says: whose key deploys, who is named for what, and how much it may cost."""

    admin_key_file: Path
    named: Mapping[Duty, str | None]
    with_test_sbtc: bool
    most_stx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An order that can be carried out: what is missing, and what each step of it costs."""

    plan: Plan
    sender: Sender
    fees: Fees

    def carry_out(self, *, depths: Depths) -> None:
        """Do every step, and wait until all of it is confirmed."""
        for step in self.plan.missing:
            self.sender.do(step, fee=self.fees[step.name])
        self.sender.confirm(depths=depths)


def prepare(
    order: Order, *, settings: Settings, contracts: Contracts, node: StacksNode, patience: Patience
) -> Prepared:
    """Check an order against settings and chain; nothing is signed yet.

    Raises:
        NotTheAdmin, WrongNetwork, TooDear, BadRequest: see there.
        UnusableKey: of any key file that is named.
        CannotDeploy: what is asked for cannot come to stand.
    """
    sender = Sender(key=read_key_file(order.admin_key_file), network=contracts.network, node=node, patience=patience)
    check_admin(contracts, sender.address)
    check_test_sbtc(contracts, with_test_sbtc=order.with_test_sbtc)
    duties = wanted(order.named, settings=settings, contracts=contracts)
    patience.tell("the chain is asked what stands there")
    check_network(node, settings)
    sender.settle_down()
    plan = make_plan(contracts, duties, node=node, read_source=node.contract_source)
    fees = sender.fees(plan.missing)
    check_fees(sender, fees, most_stx=order.most_stx)
    return Prepared(plan=plan, sender=sender, fees=fees)


def check_network(node: StacksNode, settings: Settings) -> None:
    """Raise WrongNetwork unless the node is of the chain that the settings name."""
    found = node.info().network_id
    if found != settings.chain_id:
        raise WrongNetwork(found=found, network=settings.network, expected=settings.chain_id)


def check_admin(contracts: Contracts, address: Principal) -> None:
    """Raise NotTheAdmin unless the contracts of the settings are this account's."""
    if address != deployer_of(contracts):
        raise NotTheAdmin(address=address, deployer=deployer_of(contracts))


def check_test_sbtc(contracts: Contracts, *, with_test_sbtc: bool) -> None:
    """Want the stand-in by flag and by setting, so that nobody gets it by oversight; mainnet never does."""
    if with_test_sbtc and contracts.network_name == "mainnet":
        raise BadRequest(field="--with-test-sbtc", reason="anyone may mint it, and this is mainnet")
    if with_test_sbtc != has_own_sbtc(contracts):
        raise BadRequest(
            field="REGISTRY_SBTC_CONTRACT and --with-test-sbtc",
            reason=f"{contracts.sbtc} is named; the flag stands for {deployer_of(contracts)}.{SBTC}",
        )


def check_fees(sender: Sender, fees: Fees, *, most_stx: int) -> None:
    """Raise TooDear if the fees pass what is allowed, or what the admin has."""
    needed = sum(fees.values())
    if needed > most_stx * MICRO_PER_STX:
        raise TooDear(fees=needed, bound=f"{most_stx} STX are allowed", do="wait, or allow more with --max-fees")
    balance = sender.node.account(sender.address).balance
    if needed > balance:
        raise TooDear(fees=needed, bound=f"{sender.address} has {balance}", do=f"send STX to {sender.address}")


def wanted(
    named: Mapping[Duty, str | None], *, settings: Settings, contracts: Contracts
) -> dict[Duty, Principal | None]:
    """Who is to have each duty: as named, else by the key files of the settings, else whoever has it."""
    files = {Duty.BACKEND: settings.backend_key_file, Duty.QUOTE_SIGNER: settings.quote_key_file}
    found: dict[Duty, Principal | None] = {}
    for duty in Duty:
        name, file = named[duty], files.get(duty)
        if name is not None:
            found[duty] = _principal(name, duty=duty, contracts=contracts)
        else:
            found[duty] = None if file is None else address_of(file, contracts)
    return found


def read_key_file(path: Path | None) -> PrivateKey:
    """Read a key file; one that holds no key is UnusableKey, like one that others can read."""
    try:
        return read_key(path)
    except (DecodeError, UnicodeDecodeError):
        raise UnusableKey(path=str(path), reason="it holds no key") from None


def address_of(path: Path, contracts: Contracts) -> Principal:
    """The address of a key file, on the network of our contracts."""
    return Principal(read_key_file(path).address(contracts.network))


def _principal(name: str, *, duty: Duty, contracts: Contracts) -> Principal:
    """Read an address of this network, or a key file, which stands for its address."""
    try:
        named = parse_principal(name)
    except DecodeError:
        if Path(name).is_file():
            return address_of(Path(name), contracts)
        raise BadRequest(field=f"the {duty}", reason=f"{name!r} is neither an address nor a key file") from None
    account = named.deployer if isinstance(named, ContractPrincipal) else named
    if account.version not in (contracts.network.single_sig, contracts.network.multi_sig):
        raise BadRequest(field=f"the {duty}", reason=f"{name} is of another network")
    return Principal(name)
