"""The key that moves money: what it pays, how many of its transactions may be under way, and what it signs."""

from dataclasses import dataclass, replace

from registry.domain.fees import Fees
from registry.domain.transaction import ExpirationPath
from registry.domain.units import MicroStx, Nonce, Principal
from registry.stacks.contracts import Contracts
from registry.stacks.network import Network
from registry.stacks.principals import StandardPrincipal
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wire import TokenTransfer, Transaction

FILLER_MICRO_STX = 1
"""What a filler moves: a transfer of nothing is refused."""

_NOBODY = bytes(20)
"""The hash160 that no key has: what is sent there is burnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The backend's key, what it pays for a transaction, how many may be under way at once, and how it expires."""

    key: PrivateKey
    fees: Fees
    window: int
    expiration_path: ExpirationPath = ExpirationPath.ONE_STEP

    def principal(self, contracts: Contracts) -> Principal:
        """The account that the key spends from."""
        return Principal(self.key.address(contracts.network))

    def sign(self, unsigned: Transaction) -> Transaction:
        """Sign a transaction whose nonce and fee stand."""
        return sign(unsigned, self.key)

    def sign_for_more(self, raw: bytes, *, fee: MicroStx) -> Transaction:
        """Sign what was signed before once more, at the same nonce and for another fee."""
        before = Transaction.decode(raw)
        return self.sign(replace(before, origin=self.key.spend(nonce=before.origin.nonce, fee=fee)))

    def filler(self, network: Network, *, nonce: Nonce, fee: MicroStx) -> Transaction:
        """Sign what uses a nonce for nothing: a micro-STX to the address that nobody has the key of."""
        nobody = StandardPrincipal(version=network.single_sig, hash160=_NOBODY)
        return self.sign(
            Transaction(
                network=network,
                origin=self.key.spend(nonce=nonce, fee=fee),
                payload=TokenTransfer(recipient=nobody, amount=FILLER_MICRO_STX),
            )
        )
