"""Settings of no place at all: nothing in these tests is connected to."""

import pytest

from registry.settings import Settings

ADDRESS = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"

ENVIRONMENT = {
    "REGISTRY_DATABASE_URL": "postgresql://registry:hidden@127.0.0.1:1/registry",
    "REGISTRY_BROKER_URL": "redis://:hidden@127.0.0.1:1/0",
    "REGISTRY_STACKS_URL": "http://127.0.0.1:1",
    "REGISTRY_REGISTRY_CONTRACT": f"{ADDRESS}.policy-registry",
    "REGISTRY_POOL_CONTRACT": f"{ADDRESS}.liquidity-pool",
    "REGISTRY_SBTC_CONTRACT": f"{ADDRESS}.sbtc-token",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def settings() -> Settings:
    return Settings()
