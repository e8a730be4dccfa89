"""How our contracts stand on a chain: deployed or not, with which source, who has which duty, what the pool holds."""

from typing import Any

from registry.domain.errors import RegistryError
from registry.domain.units import Principal, Token
from registry.stacks.contract_reads import ContractReads
from registry.stacks.contracts import Contracts
from registry.stacks.node import StacksNode
from workers.deployment.duties import Duty, holder
from workers.deployment.plan import ReadSource
from workers.deployment.sources import POOL, REGISTRY, SBTC, deployer_of, fingerprint, has_own_sbtc, our_sources


def standing(contracts: Contracts, *, node: StacksNode, read_source: ReadSource) -> dict[str, Any]:
    """Tell all of it as JSON; what cannot be read of a contract that is not ours is null."""
    tip = node.tip()
    ours = our_sources(contracts)
    places = {REGISTRY: contracts.registry, POOL: contracts.pool, SBTC: contracts.sbtc}
    told = {name: _contract(contract_id, ours.get(name), read_source) for name, contract_id in places.items()}
    deployed = {name for name, each in told.items() if each["deployed"]}
    return {
        "network": contracts.network_name,
        "height": tip.burn_height,
        "contracts": list(told.values()),
        "admin": deployer_of(contracts),
        **{_key(duty): _holder(contracts, duty, node, deployed) for duty in Duty},
        "pool": {token.value: _pool(contracts, token, node) if POOL in deployed else None for token in Token},
        "own_sbtc": has_own_sbtc(contracts),
    }


def _contract(contract_id: Principal, ours: str | None, read_source: ReadSource) -> dict[str, Any]:
    """One contract; `is_ours` is null for an sBTC that is none of ours."""
    found = read_source(contract_id)
    return {
        "contract": contract_id,
        "deployed": found is not None,
        "sha256": None if found is None else fingerprint(found),
        "is_ours": None if ours is None or found is None else found == ours,
    }


def _holder(contracts: Contracts, duty: Duty, node: StacksNode, deployed: set[str]) -> Principal | None:
    if (REGISTRY if duty is Duty.BACKEND else POOL) not in deployed:
        return None
    try:
        return holder(node, contracts, duty)
    except RegistryError:
        return None  # another contract stands there, as `is_ours` says


def _pool(contracts: Contracts, token: Token, node: StacksNode) -> dict[str, int] | None:
    try:
        pool = ContractReads(node=node, contracts=contracts).get_pool(token)
    except RegistryError:
        return None  # as above
    return {
        "assets_base_units": pool.assets,
        "locked_base_units": pool.locked,
        "free_base_units": pool.assets - pool.locked,
        "unearned_base_units": pool.unearned,
        "shares": pool.shares,
    }


def _key(duty: Duty) -> str:
    return duty.value.replace(" ", "_")
