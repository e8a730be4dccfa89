"""The sources of our contracts, as they are to stand on a chain, and those that stand there."""

from hashlib import sha256
from pathlib import Path

from registry.domain.errors import RegistryError
from registry.domain.units import Principal
from registry.stacks.contracts import Contracts

PLACE = Path(__file__).resolve().parents[2] / "contracts"
"""Beside the packages, in a checkout as in an installed wheel."""

CLARITY_VERSION = 3
TRAIT, SBTC, REGISTRY, POOL = "sip-010-trait", "sbtc-token", "policy-registry", "liquidity-pool"

_MENTION = ".sbtc-token "
"""How the pool names sBTC, once: as a contract of its own deployer."""


class SourcesMissing(RegistryError):
    """The contracts did not come with the program, or are not those that it knows."""

    code = "sources_missing"
    sentence = "the contract {name} is not usable at {path}: {reason}"
    remedy = "install the whole package again"


def deployer_of(contracts: Contracts) -> Principal:
    """Who deploys the pool, and so is its admin for ever."""
    return Principal(contracts.pool.partition(".")[0])


def has_own_sbtc(contracts: Contracts) -> bool:
    """Whether sBTC is the stand-in that is deployed beside the pool."""
    return contracts.sbtc == f"{deployer_of(contracts)}.{SBTC}"


def our_sources(contracts: Contracts) -> dict[str, str]:
    """Each contract's code by its name, in the order in which they are deployed."""
    if has_own_sbtc(contracts):
        return {name: _read(name) for name in (TRAIT, SBTC, REGISTRY, POOL)}
    return {REGISTRY: _read(REGISTRY), POOL: _pool_for(contracts.sbtc)}


def fingerprint(code: str) -> str:
    """The SHA-256 of a source, in hex."""
    return sha256(code.encode()).hexdigest()


def _pool_for(sbtc: Principal) -> str:
    code = _read(POOL)
    if code.count(_MENTION) != 1:
        raise SourcesMissing(name=POOL, path=str(PLACE), reason=f"it does not name {_MENTION.strip()} once")
    return code.replace(_MENTION, f"'{sbtc} ")


def _read(name: str) -> str:
    try:
        return (PLACE / f"{name}.clar").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SourcesMissing(name=name, path=str(PLACE), reason=type(error).__name__) from None
