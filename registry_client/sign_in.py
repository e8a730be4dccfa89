"""Signing in: a wallet signs a challenge; the token that comes of it is exchanged before it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from registry_client.access_answers import Challenge, Me, SignedIn
from registry_client.access_answers import Sessions as SessionList
from registry_client.errors import NotSignedIn
from registry_client.pages import Noun

Sign = Callable[[str], str]
"""Signs a text as a wallet's `stx_signMessage` does: R ‖ S ‖ V in hex."""
EARLY = timedelta(seconds=60)
"""So long before its end a token is exchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """Who signs in, and by what."""

    address: str
    sign: Sign


class Bearing:
    """The token that requests bear: given once, or kept new by a wallet."""

    def __init__(self, token: str | None) -> None:
        """Bear a token for ever, or nobody's."""
        self.token = token
        self.ends: datetime | None = None
        self.wallet: Wallet | None = None
        self.renew: Callable[[], None] | None = None

    def __call__(self) -> str | None:
        """Give the token of the next request, a new one if it is about to end."""
        renew = self.renew
        if renew is not None and self.ends is not None and datetime.now(UTC) >= self.ends - EARLY:
            self.renew = None
            try:
                renew()
            finally:
                self.renew = renew
        return self.token


class SignIn(Noun):
    """Who one is."""

    _bearing: Bearing

    def sign_in(self, address: str, sign: Sign) -> SignedIn:
        """Sign in with a wallet, and stay so: `sign` is asked again when the session has ended.

        Raises:
            ApiRefused: the address or the signature will not do.
        """
        self._bearing.wallet = Wallet(address=address, sign=sign)
        return self._begin(self._bearing.wallet)

    def rotate_session(self) -> SignedIn:
        """Exchange the token for a new one of the same session."""
        return self._bear(cast("SignedIn", self._transport.change("POST", "/v1/sessions/rotate")))

    def sign_out(self) -> None:
        """End this session."""
        self._transport.change("DELETE", "/v1/sessions/current")
        self._forget()

    def sign_out_everywhere(self) -> None:
        """End every session of this holder."""
        self._transport.change("DELETE", "/v1/sessions")
        self._forget()

    def list_sessions(self) -> SessionList:
        """Ask where one is signed in."""
        return cast("SessionList", self._transport.get("/v1/sessions"))

    def who_am_i(self) -> Me:
        """Ask whom the token or key makes one."""
        return cast("Me", self._transport.get("/v1/me"))

    def _begin(self, wallet: Wallet) -> SignedIn:
        self._bearing.token = self._bearing.ends = None
        challenge = cast(
            "Challenge", self._transport.change("POST", "/v1/challenges", body={"address": wallet.address})
        )
        answer = {
            "address": wallet.address,
            "nonce": challenge["nonce"],
            "signature": wallet.sign(challenge["message"]),
            "kind": "message",
        }
        return self._bear(cast("SignedIn", self._transport.change("POST", "/v1/sessions", body=answer)))

    def _bear(self, signed: SignedIn) -> SignedIn:
        self._bearing.token = signed["token"]
        self._bearing.ends = datetime.fromisoformat(signed["expires_at"])
        self._bearing.renew = self._renew
        return signed

    def _renew(self) -> None:
        try:
            self.rotate_session()
        except NotSignedIn:
            if self._bearing.wallet is None:
                raise
            self._begin(self._bearing.wallet)

    def _forget(self) -> None:
        self._bearing.token = self._bearing.ends = self._bearing.wallet = self._bearing.renew = None
