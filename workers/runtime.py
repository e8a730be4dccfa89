"""What a worker process holds: database, node, contracts, feed, and the keys if it signs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from socket import gethostname
from stat import S_IRWXG, S_IRWXO
from urllib.parse import urlsplit

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.errors import Alarm
from registry.domain.fees import Fees
from registry.domain.height import ChainHeight
from registry.domain.lease import Lease
from registry.domain.nonce import Patience
from registry.domain.units import MicroStx, Ppm, Principal
from registry.market.catalogue import feed
from registry.market.feed import Feed
from registry.market.http import Bounds, Http
from registry.outside.breaker import Breaker, Pauses
from registry.outside.bucket import Rate
from registry.outside.shared_bucket import bucket_at
from registry.services import blocks
from registry.settings import Settings
from registry.stacks.contracts import Contracts
from registry.stacks.endpoint import Endpoint
from registry.stacks.http_node import HttpNode
from registry.stacks.network import MAINNET, TESTNET
from registry.stacks.nodes import Nodes
from registry.stacks.signer import Signer
from registry.stacks.signing import PrivateKey
from registry.stacks.transport import Limits
from registry.store.clock import DatabaseClock
from registry.store.session import Database

LONGEST_OF_FIRST = 30
"""The longest pause for somebody who fails, in first ones: five minutes of ten seconds."""

CALLS_A_BLOCK = 4
"""What following asks about a block with something of ours in it, and about the chain as a whole."""


class UnusableKey(Alarm):
    """A key file that must not be used as it is."""

    code = "unusable_key"
    sentence = "the key file {path} is not usable: {reason}"
    remedy = "make it a file of 66 hex digits ending in 01 that only its owner can read (chmod 600)"


@dataclass(frozen=True)
class Runtime:
    """One per process, made from the settings; nothing is connected before it is used.

    `statement_seconds` bounds a statement where somebody waits for it who goes away.
    """

    settings: Settings
    statement_seconds: float | None = None

    @cached_property
    def database(self) -> Database:
        """Postgres."""
        return Database(self.settings.database_url.get_secret_value(), statement_seconds=self.statement_seconds)

    @cached_property
    def clock(self) -> DatabaseClock:
        """The clock that all processes share."""
        return DatabaseClock(self.database)

    @cached_property
    def node(self) -> Nodes:
        """The Stacks node and its API, or several of them. The key is the first one's: no other is told it."""
        first, *others = self.settings.stacks_urls
        key = self.settings.stacks_api_key
        return Nodes(
            [
                self._endpoint(first, api_key=key.get_secret_value() if key else None),
                *(self._endpoint(url, api_key=None) for url in others),
            ]
        )

    def _endpoint(self, url: str, *, api_key: str | None) -> Endpoint:
        limits = Limits(
            connect_seconds=self.settings.stacks_connect_seconds,
            silence_seconds=self.settings.stacks_silence_seconds,
            answer_seconds=self.settings.stacks_answer_seconds,
        )
        per_minute = self.settings.stacks_requests_per_minute
        broker = self.settings.broker_url.get_secret_value()
        bucket = None if per_minute is None else bucket_at(broker, api=url, rate=Rate(per_minute=per_minute))
        return Endpoint(
            name=urlsplit(url).netloc.rpartition("@")[2],
            node=HttpNode(url, api_key=api_key, limits=limits, bucket=bucket),
            breaker=Breaker(self._pauses),
        )

    @property
    def _pauses(self) -> Pauses:
        """When others are left alone."""
        return Pauses(
            failures=self.settings.outage_failures,
            first_seconds=self.settings.outage_pause_seconds,
            longest_seconds=LONGEST_OF_FIRST * self.settings.outage_pause_seconds,
        )

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
            http=Http(bounds=bounds, pauses=self._pauses, clock=self.clock.now_or_ours),
            venue_url=self.settings.venue_url,
            pyth_api_key=key.get_secret_value() if key else None,
            clock=self.clock.now_or_ours,
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
            fees=Fees(
                floor=MicroStx(self.settings.fee_floor_micro_stx),
                ceiling=MicroStx(self.settings.fee_ceiling_micro_stx),
            ),
            window=self.settings.nonce_window,
            expiration_path=self.settings.expiration_path,
        )

    @property
    def patience(self) -> Patience:
        """How long what was sent may wait before more is paid for it, and before it is offered again."""
        return Patience(
            bump_after_blocks=self.settings.bump_after_blocks,
            bump_after=timedelta(minutes=self.settings.bump_after_minutes),
            reoffer_after=timedelta(minutes=self.settings.reoffer_minutes),
        )

    def lease(self, owner: str) -> Lease:
        """What this process asks for when it takes a policy, under the name of its task."""
        return Lease(owner=f"{gethostname()}/{owner}", length=timedelta(seconds=self.settings.lease_seconds))

    @property
    def limits(self) -> OpenQuoteLimits:
        """How much quotes that nobody has signed may hold."""
        return OpenQuoteLimits(
            per_owner=self.settings.open_quotes_per_owner,
            tier_ppm=Ppm(self.settings.open_quotes_share_of_tier_ppm),
        )

    def blocks_at_once(self, most: int) -> int:
        """How many blocks one task may read: as many as a full bucket lets it, with what is asked about each."""
        per_minute = self.settings.stacks_requests_per_minute
        if per_minute is None:
            return most
        return min(most, Rate(per_minute=per_minute).at_once // CALLS_A_BLOCK)

    def now(self) -> datetime:
        """What time it is, by the database's clock, in UTC."""
        return self.clock.now()

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
