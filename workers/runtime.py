"""What a worker process holds: database, node, contracts, feed, and the keys if it signs."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from stat import S_IRWXG, S_IRWXO

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.errors import Alarm
from registry.domain.height import ChainHeight
from registry.domain.units import MicroStx, Ppm, Principal
from registry.market.catalogue import feed
from registry.market.feed import Feed
from registry.market.http import Bounds, Http
from registry.services import blocks
from registry.services.broadcast import Signer
from registry.settings import Settings
from registry.stacks.contracts import Contracts
from registry.stacks.http_node import HttpNode
from registry.stacks.network import MAINNET, TESTNET
from registry.stacks.signing import PrivateKey
from registry.stacks.transport import Limits
from registry.store.session import Database


class UnusableKey(Alarm):
    """A key file that must not be used as it is."""

    code = "unusable_key"
    sentence = "the key file {path} is not usable: {reason}"
    remedy = "make it a file of 66 hex digits ending in 01 that only its owner can read (chmod 600)"


@dataclass(frozen=True)
class Runtime:
    """One per process, made from the settings; nothing is connected before it is used."""

    settings: Settings

    @cached_property
    def database(self) -> Database:
        """Postgres."""
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def node(self) -> HttpNode:
        """The Stacks node and its API."""
        key = self.settings.stacks_api_key
        limits = Limits(
            connect_seconds=self.settings.stacks_connect_seconds,
            silence_seconds=self.settings.stacks_silence_seconds,
            answer_seconds=self.settings.stacks_answer_seconds,
        )
        return HttpNode(self.settings.stacks_url, api_key=key.get_secret_value() if key else None, limits=limits)

    @cached_property
    def contracts(self) -> Contracts:
        """Our contracts, on the network that the settings name."""
        return Contracts(
            registry=Principal(self.settings.registry_contract),
            pool=Principal(self.settings.pool_contract),
            sbtc=Principal(self.settings.sbtc_contract),
            network=MAINNET if self.settings.network == "mainnet" else TESTNET,
        )

    @cached_property
    def feed(self) -> Feed:
        """The price venues."""
        key = self.settings.pyth_api_key
        bounds = Bounds(
            connect_seconds=self.settings.venue_connect_seconds,
            read_seconds=self.settings.venue_silence_seconds,
            total_seconds=self.settings.venue_answer_seconds,
        )
        return feed(
            self.settings.venues,
            http=Http(bounds=bounds),
            venue_url=self.settings.venue_url,
            pyth_api_key=key.get_secret_value() if key else None,
        )

    @cached_property
    def quote_key(self) -> PrivateKey:
        """The key that signs quotes; only a process that serves `signing` has it."""
        return read_key(self.settings.quote_key_file)

    @cached_property
    def signer(self) -> Signer:
        """The key that moves money; only a process that serves `signing` has it."""
        return Signer(
            key=read_key(self.settings.backend_key_file),
            fee=MicroStx(self.settings.transaction_fee_micro_stx),
            window=self.settings.nonce_window,
            expiration_path=self.settings.expiration_path,
        )

    @property
    def limits(self) -> OpenQuoteLimits:
        """How much quotes that nobody has signed may hold."""
        return OpenQuoteLimits(
            per_owner=self.settings.open_quotes_per_owner,
            tier_ppm=Ppm(self.settings.open_quotes_share_of_tier_ppm),
        )

    def height(self) -> ChainHeight | None:
        """The height of the newest block that was applied; None before the first."""
        return blocks.known_height(self.database, depths=self.settings.depths)


def read_key(path: Path | None) -> PrivateKey:
    """Read a compressed private key from a file that only its owner can read."""
    if path is None:
        raise UnusableKey(path="", reason="none is named")
    try:
        readable_by_others = path.stat().st_mode & (S_IRWXG | S_IRWXO)
        digits = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UnusableKey(path=str(path), reason=error.strerror or "it cannot be read") from None
    if readable_by_others:
        raise UnusableKey(path=str(path), reason="others can read it")
    compressed_digits = 66
    if len(digits) != compressed_digits:
        raise UnusableKey(path=str(path), reason=f"it does not hold {compressed_digits} hex digits")
    return PrivateKey.from_hex(digits)


@cache
def runtime() -> Runtime:
    """This process's own, made when first asked for."""
    return Runtime(settings=Settings())
