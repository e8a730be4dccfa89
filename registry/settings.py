"""Every REGISTRY_* variable, typed and frozen. Read by entry points only; secrets are never printed."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from registry.domain.height import Depths
from registry.domain.transaction import ExpirationPath
from registry.fault_points import NUMBERED
from registry.outside.bucket import LEAST_PER_MINUTE

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
    stacks_requests_per_minute: int | None = Field(default=None, ge=LEAST_PER_MINUTE)
    outage_failures: int = Field(default=5, ge=1)
    outage_pause_seconds: float = Field(default=10.0, gt=0)

    network: Literal["testnet", "mainnet"] = "testnet"
    registry_contract: str
    pool_contract: str
    sbtc_contract: str

    backend_key_file: Path | None = None
    quote_key_file: Path | None = None

    confirmed_depth: int = Field(default=2, ge=1)
    final_depth: int = Field(default=6, ge=1)
    nonce_window: int = Field(default=20, ge=1, le=25)
    fee_floor_micro_stx: int = Field(default=10_000, ge=200)
    fee_ceiling_micro_stx: int = Field(default=1_000_000, ge=10_000)
    bump_after_blocks: int = Field(default=3, ge=1)
    bump_after_minutes: float = Field(default=30, ge=0)
    reoffer_minutes: float = Field(default=60, gt=0, le=1_200)
    open_quotes_per_owner: int = Field(default=3, ge=1)
    open_quotes_share_of_tier_ppm: int = Field(default=250_000, ge=0, le=1_000_000)
    expiration_path: ExpirationPath = ExpirationPath.ONE_STEP
    expiration_batch: int = Field(default=100, ge=1, le=200)
    lease_seconds: int = Field(default=30, ge=1)
    max_deliveries: int = Field(default=5, ge=1)

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

    api_port: int = Field(default=8180, ge=0, le=65_535)
    api_url: str | None = None
    api_origins: Annotated[tuple[str, ...], NoDecode] = ()
    api_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    api_wait_seconds: float = Field(default=10.0, ge=0, le=60)
    api_streams: int = Field(default=1_000, ge=1)
    api_streams_per_caller: int = Field(default=20, ge=1)
    api_anonymous_per_minute: int = Field(default=120, ge=1)
    api_requests_per_minute: int = Field(default=600, ge=1)
    api_actions_per_minute: int = Field(default=60, ge=1)
    api_sign_in_per_minute: int = Field(default=30, ge=1)
    limits_url: SecretStr | None = None
    front_secret_file: Path | None = None
    session_minutes: int = Field(default=15, ge=1, le=60)
    session_hours: int = Field(default=12, ge=1, le=168)
    submission_days: int = Field(default=30, ge=1)
    wallet_script_url: str | None = None

    webhook_secret_file: Path | None = None
    webhook_private_addresses: bool = False
    webhook_seconds: float = Field(default=10.0, gt=0, le=20)
    webhook_hours: int = Field(default=24, ge=1)
    webhook_days: int = Field(default=30, ge=1)
    notice_blocks: int = Field(default=144, ge=1)

    push_secret_file: Path | None = None
    push_days: int = Field(default=7, ge=1)

    log_json: bool | None = None

    fault_point: str | None = Field(default=None, pattern=NUMBERED)
    fault_directory: Path | None = None

    @field_validator("venues", "api_origins", "api_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _listed(value) if isinstance(value, str) else value

    @field_validator("stacks_url")
    @classmethod
    def _names_nodes(cls, value: str) -> str:
        urls = _listed(value)
        if not urls or len(set(urls)) < len(urls) or not all(url.startswith(("http://", "https://")) for url in urls):
            raise ValueError("it is not a list of different http:// or https:// addresses")
        return value

    @property
    def stacks_urls(self) -> tuple[str, ...]:
        """Every node that is named, the preferred one first."""
        return _listed(self.stacks_url)

    @field_validator("final_depth")
    @classmethod
    def _as_deep_as_confirmed(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("confirmed_depth", value):
            raise ValueError("it is under confirmed_depth: an id would be named before its purchase counts")
        return value

    @property
    def front_url(self) -> str:
        """Where callers find the front door; its host is the domain that wallets sign in to."""
        return self.api_url or f"http://127.0.0.1:{self.api_port}"

    @property
    def depths(self) -> Depths:
        """The two depths at which we act."""
        return Depths(confirmed=self.confirmed_depth, final=self.final_depth)

    @property
    def chain_id(self) -> int:
        """The chain id that belongs to the network."""
        return MAINNET_CHAIN_ID if self.network == "mainnet" else TESTNET_CHAIN_ID


def _listed(value: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.split(",") if each.strip())
