"""What is deployed: our sources, with the sBTC of the network, in the package."""

import tomllib
from pathlib import Path

import pytest

from registry.domain.units import Principal
from registry.stacks.contracts import Contracts
from registry.stacks.network import TESTNET
from tests.unit.workers.conftest import ADDRESS
from workers.deployment import sources
from workers.deployment.sources import SourcesMissing, our_sources

ROOT = Path(__file__).parents[3]
REAL = Principal("ST000000000000000000002AMW42H.sbtc-token")


def contracts(sbtc: Principal) -> Contracts:
    pool, registry = Principal(f"{ADDRESS}.liquidity-pool"), Principal(f"{ADDRESS}.policy-registry")
    return Contracts(registry=registry, pool=pool, sbtc=sbtc, network=TESTNET)


def test_beside_its_own_sbtc_the_pool_is_deployed_to_the_letter() -> None:
    found = our_sources(contracts(Principal(f"{ADDRESS}.sbtc-token")))
    assert list(found) == ["sip-010-trait", "sbtc-token", "policy-registry", "liquidity-pool"]
    assert found == {name: (ROOT / "contracts" / f"{name}.clar").read_text() for name in found}


def test_elsewhere_its_one_mention_of_sbtc_is_the_networks() -> None:
    written = (ROOT / "contracts" / "liquidity-pool.clar").read_text()
    found = our_sources(contracts(REAL))
    assert list(found) == ["policy-registry", "liquidity-pool"]
    assert found["liquidity-pool"] == written.replace("contract-call? .sbtc-token", f"contract-call? '{REAL}")
    assert found["liquidity-pool"].count(REAL) == 1


def test_a_pool_that_names_sbtc_twice_is_not_deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("policy-registry", "liquidity-pool"):
        (tmp_path / f"{name}.clar").write_text("(print .sbtc-token )" * 2)
    monkeypatch.setattr(sources, "PLACE", tmp_path)
    with pytest.raises(SourcesMissing, match="once"):
        our_sources(contracts(REAL))
    (tmp_path / "liquidity-pool.clar").unlink()
    with pytest.raises(SourcesMissing, match="FileNotFoundError"):
        our_sources(contracts(REAL))


def test_every_source_is_in_the_package_and_in_the_image() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    names = our_sources(contracts(Principal(f"{ADDRESS}.sbtc-token")))
    assert {f"contracts/{name}.clar" for name in names} <= set(included)
    assert "\nCOPY contracts contracts\n" in (ROOT / "docker" / "Dockerfile").read_text()
    assert "\n!contracts/*.clar\n" in (ROOT / "docker" / "Dockerfile.dockerignore").read_text()
