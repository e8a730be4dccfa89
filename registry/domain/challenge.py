"""A challenge: the text that an owner's wallet signs to sign in, on one site, for one network, within minutes.

Its nonce holds when it was given and a MAC over everything else, so nothing is kept of a challenge until it is
answered: whoever answers brings the nonce, and the rest is made again.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry.domain.access import ChallengeExpired, ChallengeForged
from registry.domain.keyring import MAC_BYTES, KeyRing
from registry.domain.units import Principal

LIFE = timedelta(minutes=5)
SKEW = timedelta(seconds=5)
"""How far the clocks of two processes are apart at most."""

STATEMENT = "By signing you prove that this account is yours. This sends nothing, costs nothing and allows no payment."
NONCE_PATTERN = "^[0-9a-f]{72}$"

_TIME_BYTES, _SALT_BYTES = 8, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where one signs in: the front door's address, its host with a port if it has one, and the network."""

    url: str
    domain: str
    network: str
    chain_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One challenge; `nonce` is 72 hex digits."""

    site: Site
    address: Principal
    nonce: str
    issued_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When it is too late to answer."""
        return self.issued_at + LIFE

    @property
    def text(self) -> str:
        """What a wallet shows and signs, `stx_signMessage`."""
        return "\n".join(
            (
                f"{self.site.domain} wants you to sign in with your Stacks account:",
                self.address,
                "",
                STATEMENT,
                "",
                f"URI: {self.site.url}",
                "Version: 1",
                f"Network: {self.site.network}",
                f"Chain ID: {self.site.chain_id}",
                f"Nonce: {self.nonce}",
                f"Issued At: {moment(self.issued_at)}",
                f"Expiration Time: {moment(self.expires_at)}",
            )
        )


def give(site: Site, address: Principal, *, keys: KeyRing, now: datetime) -> Challenge:
    """Make a challenge that nobody was given before."""
    issued_at = now.replace(microsecond=0)
    head = int(issued_at.timestamp()).to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_SALT_BYTES)
    mac = keys.mac(_signed(site, address, head))
    return Challenge(site=site, address=address, nonce=(head + mac).hex(), issued_at=issued_at)


def given(site: Site, address: Principal, nonce: str, *, keys: KeyRing, now: datetime) -> Challenge:
    """Make again the challenge that an address was given with this nonce.

    Raises:
        ChallengeForged: nobody gave it to this address, on this site, for this network.
        ChallengeExpired: it is too old, or was given in the future.
    """
    brought = _bytes(nonce)
    head, mac = brought[:-MAC_BYTES], brought[-MAC_BYTES:]
    if not keys.has_signed(_signed(site, address, head), mac):
        raise ChallengeForged
    issued_at = datetime.fromtimestamp(int.from_bytes(head[:_TIME_BYTES], "big"), tz=UTC)
    challenge = Challenge(site=site, address=address, nonce=nonce, issued_at=issued_at)
    if not issued_at - SKEW <= now < challenge.expires_at:
        raise ChallengeExpired(expires_at=moment(challenge.expires_at))
    return challenge


def moment(at: datetime) -> str:
    """A whole second of UTC, as the text shows it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _bytes(nonce: str) -> bytes:
    try:
        brought = bytes.fromhex(nonce)
    except ValueError:
        raise ChallengeForged from None
    # bytes.fromhex also takes spaces and capitals: one challenge must not have two spellings, or it is taken twice
    if brought.hex() != nonce or len(brought) != _TIME_BYTES + _SALT_BYTES + MAC_BYTES:
        raise ChallengeForged
    return brought


def _signed(site: Site, address: str, head: bytes) -> bytes:
    """What the MAC is over; no part can hold the NUL that ends it. The time of its end follows from its beginning."""
    parts = (site.domain, site.url, site.network, str(site.chain_id), address)
    return b"".join(part.encode() + b"\0" for part in parts) + head
