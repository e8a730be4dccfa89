"""The Stacks node and what stands on its chain: network, height, contracts, duties, money for fees."""

from datetime import UTC, datetime
from typing import Any

from registry.domain.units import MICRO_PER_STX, Principal
from registry.stacks.endpoint import Endpoint
from registry.stacks.node import Block, NodeUnavailable
from registry.store import blocks
from registry.store.session import unit_of_work
from workers.commands.checks.check import Check, Checks, held, ok, problem, warning
from workers.deployment.order import address_of
from workers.deployment.standing import standing
from workers.runtime import Runtime

STANDSTILL_SECONDS = 3600
AHEAD_BLOCKS = 6
BEHIND_BLOCKS = 6


def look(runtime: Runtime) -> Checks:
    """Look at the node, and if it answers at what stands there."""
    yield from node(runtime)
    yield from held("contracts", lambda: contracts(runtime))


def node(runtime: Runtime) -> Checks:
    """Whether it answers, is synced, and is of the chain that we sign for."""
    info, settings = runtime.node.info(), runtime.settings
    several = len(runtime.node.endpoints)
    place = settings.stacks_url.rpartition("@")[2] if several == 1 else f"one of {several} nodes"
    yield ok("node", f"{info.server_version} at {place}")
    if info.network_id == settings.chain_id:
        yield ok("chain id", f"{info.network_id}, {settings.network}")
    else:
        found = f"{info.network_id}, but REGISTRY_NETWORK={settings.network} is {settings.chain_id}"
        yield problem("chain id", found, do="correct REGISTRY_NETWORK or REGISTRY_STACKS_URL")
    if not info.is_fully_synced:
        yield problem("node sync", "it says that it is not synced", do="wait: what it says of heights is too old")
    tip = runtime.node.tip()
    yield _age(tip)
    ahead = info.burn_block_height - tip.burn_height
    found = f"{tip.burn_height}, Bitcoin is at {info.burn_block_height}"
    if ahead > AHEAD_BLOCKS:
        yield warning("height", found, do="see whether Stacks makes blocks: contracts do not see Bitcoin go on")
    else:
        yield ok("height", found)
    if several > 1:
        for each in runtime.node.endpoints:
            yield _one_of_several(each, settings.chain_id, tip)
    yield from held("followed", lambda: _followed(runtime, tip))


def contracts(runtime: Runtime) -> Checks:
    """Whether ours stand there, and whether those named are those whose keys we have."""
    settings = runtime.settings
    told = standing(runtime.contracts, node=runtime.node, read_source=runtime.node.contract_source)
    for each in told["contracts"]:
        yield _contract(each)
    backend, signer = settings.backend_key_file, settings.quote_key_file
    own_backend = None if backend is None else address_of(backend, runtime.contracts)
    own_signer = None if signer is None else address_of(signer, runtime.contracts)
    yield _duty(told, "backend", own_backend)
    yield _duty(told, "quote_signer", own_signer)
    yield _duty(told, "treasury", None)
    yield _pool(told)
    payer = own_backend or told["backend"]
    if payer is not None:
        yield _funds(runtime, payer)


def _one_of_several(endpoint: Endpoint, chain_id: int, tip: Block) -> Check:
    """One node by itself: of our chain, and near what another showed."""
    name = f"node {endpoint.name}"
    try:
        info, own = endpoint.node.info(), endpoint.node.tip()
    except NodeUnavailable as error:
        return warning(name, str(error.figures["reason"]), do="nothing while another answers, or name another")
    if info.network_id != chain_id:
        return problem(name, f"of network {info.network_id}", do="take it out of REGISTRY_STACKS_URL")
    found = f"{info.server_version}, tip {own.height}"
    behind = tip.burn_height - own.burn_height
    if behind > BEHIND_BLOCKS or not info.is_fully_synced:
        return warning(name, f"{found}, {max(0, behind)} burn blocks behind", do="wait: while it is used all waits too")
    return ok(name, found)


def _age(tip: Block) -> Check:
    """Block times are shown, and no rule compares them with our clock: some chains run ahead of it."""
    seconds = (datetime.now(UTC) - tip.time).total_seconds()
    found = f"block {tip.height}, {abs(seconds):.0f} s {'old' if seconds >= 0 else 'ahead of our clock'}"
    if seconds > STANDSTILL_SECONDS:
        return warning("tip", found, do="see whether the node or the API in front of it stands still")
    return ok("tip", found)


def _followed(runtime: Runtime, tip: Block) -> Checks:
    with unit_of_work(runtime.database) as session:
        applied = blocks.tip(session)
    if applied is None:
        yield warning("followed", "no block has been applied yet", do="start beat and the worker of `chain`")
        return
    behind = tip.burn_height - applied.burn_height
    found = f"up to block {applied.height}, height {applied.burn_height}: {max(0, behind)} burn blocks behind"
    if behind > BEHIND_BLOCKS:
        yield warning("followed", found, do="see that beat and the worker of `chain` run; they catch up by themselves")
    elif behind < 0:
        yield warning("followed", found, do="the node is behind what we have seen of the chain: wait, or name another")
    else:
        yield ok("followed", found)


def _contract(told: dict[str, Any]) -> Check:
    contract_id = str(told["contract"])
    name = contract_id.rpartition(".")[2]
    if not told["deployed"]:
        return problem(
            name,
            f"{contract_id} is not deployed",
            do="run `registry contracts deploy`, or correct its id in the settings",
        )
    if told["is_ours"] is False:
        return problem(name, f"another source stands at {contract_id}", do="correct its id in the settings")
    return ok(name, f"{contract_id}{', our source' if told['is_ours'] else ''}")


def _duty(told: dict[str, Any], name: str, own: Principal | None) -> Check:
    found, title = told[name], name.replace("_", " ")
    option = f"--{name.replace('_', '-')}"
    if found is None:
        return problem(title, "it cannot be read", do="see to the contracts first")
    if found == told["admin"]:
        todo = f"name another: registry contracts deploy {option} …"
        return problem(title, f"{found}, which is the admin", do=todo)
    if own is not None and own != found:
        todo = f"name the right key file, or give the duty to it: registry contracts deploy {option} {own}"
        return problem(title, f"{found} on the chain, our key is that of {own}", do=todo)
    return ok(title, f"{found}{', and we have its key' if own else ''}")


def _pool(told: dict[str, Any]) -> Check:
    empty = [token for token, pool in told["pool"].items() if not pool or not pool["assets_base_units"]]
    if empty:
        return warning(
            "pool", f"without assets in {', '.join(empty)}", do="have a provider call `deposit`: nothing can be sold"
        )
    return ok("pool", "has assets in both tokens")


def _funds(runtime: Runtime, payer: Principal) -> Check:
    """What the backend can still pay for: a payout that cannot pay its fee waits."""
    settings = runtime.settings
    fee, balance = settings.fee_floor_micro_stx, runtime.node.account(payer).balance
    left = balance // fee
    found = f"{payer} has {balance / MICRO_PER_STX:.6f} STX, {left} transactions"
    if left == 0:
        return problem("fees", found, do=f"send STX to {payer}: nothing can be paid out or expired")
    if left < settings.nonce_window:
        return warning(
            "fees", found, do=f"send STX to {payer}: fewer than the {settings.nonce_window} that may be under way"
        )
    return ok("fees", found)
