"""Every REGISTRY_* variable, typed and frozen. Read by entry points only; secrets are never printed."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from registry.domain.height import Depths
from registry.domain.transaction import ExpirationPath

MAINNET_CHAIN_ID = 0x00000001
TESTNET_CHAIN_ID = 0x80000000


class Settings(BaseSettings):
    """What a process is told from outside. A key is a file, named only to the process that signs."""

    model_config = SettingsConfigDict(env_prefix="REGISTRY_", frozen=True, extra="ignore")

    database_url: SecretStr
    broker_url: SecretStr
    result_url: SecretStr | None = None
    stacks_url: str
    stacks_api_key: SecretStr | None = None
    stacks_connect_seconds: float = Field(default=3.0, gt=0)
    stacks_silence_seconds: float = Field(default=10.0, gt=0)
    stacks_answer_seconds: float = Field(default=20.0, gt=0)

    network: Literal["testnet", "mainnet"] = "testnet"
    registry_contract: str
    pool_contract: str
    sbtc_contract: str

    backend_key_file: Path | None = None
    quote_key_file: Path | None = None

    confirmed_depth: int = Field(default=2, ge=1)
    final_depth: int = Field(default=6, ge=1)
    nonce_window: int = Field(default=20, ge=1, le=25)
    transaction_fee_micro_stx: int = Field(default=10_000, ge=200)
    open_quotes_per_owner: int = Field(default=3, ge=1)
    open_quotes_share_of_tier_ppm: int = Field(default=250_000, ge=0, le=1_000_000)
    expiration_path: ExpirationPath = ExpirationPath.ONE_STEP
    expiration_batch: int = Field(default=100, ge=1, le=200)
    lease_seconds: int = Field(default=30, ge=1)

    venues: Annotated[tuple[str, ...], NoDecode] = ("coinbase", "kraken", "bitstamp", "binance", "pyth")
    venue_url: str | None = None
    pyth_api_key: SecretStr | None = None
    venue_connect_seconds: float = Field(default=2.0, gt=0)
    venue_silence_seconds: float = Field(default=3.0, gt=0)
    venue_answer_seconds: float = Field(default=6.0, gt=0)

    visibility_timeout_seconds: int = Field(default=600, ge=1)
    soft_time_limit_seconds: int = Field(default=60, ge=1)
    time_limit_seconds: int = Field(default=90, ge=1)
    soft_shutdown_seconds: int = Field(default=25, ge=0)

    schedule_seconds: dict[str, float] = Field(default_factory=dict)

    log_json: bool | None = None

    @field_validator("venues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @property
    def depths(self) -> Depths:
        """The two depths at which we act."""
        return Depths(confirmed=self.confirmed_depth, final=self.final_depth)

    @property
    def chain_id(self) -> int:
        """The chain id that belongs to the network."""
        return MAINNET_CHAIN_ID if self.network == "mainnet" else TESTNET_CHAIN_ID
