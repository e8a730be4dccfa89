"""What is missing on a chain: the contracts that do not stand there yet, and the duties that others have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry.domain.errors import Refusal
from registry.domain.units import Principal
from registry.stacks.contracts import Contracts
from registry.stacks.node import StacksNode
from registry.stacks.wire import Payload, SmartContract
from workers.deployment.duties import Duty, holder, naming
from workers.deployment.sources import (
    CLARITY_VERSION,
    POOL,
    REGISTRY,
    SBTC,
    deployer_of,
    has_own_sbtc,
    our_sources,
)

ReadSource = Callable[[Principal], str | None]


class CannotDeploy(Refusal):
    """What is asked for cannot come to stand as it should."""

    code = "cannot_deploy"
    sentence = "the contracts are not deployed: {reason}"
    remedy = "{do}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction of the admin's: `name` is a contract's or a duty, `what` it does."""

    name: str
    what: str
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is missing, in order, and what is there already."""

    contracts: Contracts
    duties: Mapping[Duty, Principal]
    missing: tuple[Step, ...]

    @property
    def deployer(self) -> Principal:
        """The admin, whose key signs."""
        return deployer_of(self.contracts)


def make_plan(
    contracts: Contracts, wanted: Mapping[Duty, Principal | None], *, node: StacksNode, read_source: ReadSource
) -> Plan:
    """Compare the chain with what should stand there; a duty that is None stays whose it is.

    Raises:
        CannotDeploy: other code stands there, sBTC does not, or a duty would stay the admin's.
    """
    _check_names(contracts)
    _check_sbtc(contracts, node)
    absent = {
        name: code for name, code in our_sources(contracts).items() if _is_missing(contracts, name, code, read_source)
    }
    held = {duty: _held(contracts, duty, node, absent) for duty in Duty}
    duties = {duty: wanted.get(duty) or held[duty] for duty in Duty}
    _check_duties(contracts, duties)
    named = [_name(contracts, duty, to_be) for duty, to_be in duties.items() if held[duty] != to_be]
    return Plan(contracts=contracts, duties=duties, missing=(*map(_deploy, absent, absent.values()), *named))


def _deploy(name: str, code: str) -> Step:
    payload = SmartContract(name=name, code=code, clarity_version=CLARITY_VERSION)
    return Step(name=name, what=f"deploy {name}", payload=payload)


def _name(contracts: Contracts, duty: Duty, to_be: Principal) -> Step:
    return Step(name=duty.value, what=f"name {to_be} as {duty}", payload=naming(contracts, duty, to_be))


def _is_missing(contracts: Contracts, name: str, code: str, read_source: ReadSource) -> bool:
    """Whether nothing stands there; other code than ours is refused, for nothing can ever take its place."""
    contract_id = Principal(f"{deployer_of(contracts)}.{name}")
    found = read_source(contract_id)
    if found is not None and found != code:
        raise CannotDeploy(
            reason=f"{contract_id} has another source than ours",
            do="deploy with a new admin key, and set REGISTRY_REGISTRY_CONTRACT and REGISTRY_POOL_CONTRACT to match",
        )
    return found is None


def _held(contracts: Contracts, duty: Duty, node: StacksNode, absent: Mapping[str, str]) -> Principal:
    """Whose a duty is: the admin's in a contract that is still to come."""
    home = REGISTRY if duty is Duty.BACKEND else POOL
    return deployer_of(contracts) if home in absent else holder(node, contracts, duty)


def _check_names(contracts: Contracts) -> None:
    """The pool calls the registry by its name, beside itself."""
    deployer = deployer_of(contracts)
    if (contracts.registry, contracts.pool) != (f"{deployer}.{REGISTRY}", f"{deployer}.{POOL}"):
        raise CannotDeploy(
            reason=f"{contracts.registry} and {contracts.pool} are not {REGISTRY} and {POOL} of one deployer",
            do=f"set REGISTRY_REGISTRY_CONTRACT={deployer}.{REGISTRY} and REGISTRY_POOL_CONTRACT={deployer}.{POOL}",
        )


def _check_sbtc(contracts: Contracts, node: StacksNode) -> None:
    if not has_own_sbtc(contracts) and not node.contract_exists(contracts.sbtc):
        raise CannotDeploy(
            reason=f"there is no sBTC at {contracts.sbtc}",
            do=f"name the network's sBTC in REGISTRY_SBTC_CONTRACT, or, where there is none, {deployer_of(contracts)}"
            f".{SBTC} and --with-test-sbtc",
        )


def _check_duties(contracts: Contracts, duties: Mapping[Duty, Principal]) -> None:
    """Three keys that can do three different things: the admin's stays cold."""
    for duty, name in duties.items():
        if name == deployer_of(contracts):
            option = f"--{duty.value.replace(' ', '-')}"
            raise CannotDeploy(reason=f"the {duty} would be the admin itself", do=f"name another with {option}")
    if duties[Duty.BACKEND] == duties[Duty.QUOTE_SIGNER]:
        raise CannotDeploy(
            reason="backend and quote signer would be one key", do="make a second one with `registry keys new`"
        )
