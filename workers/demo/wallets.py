"""Wallets: programs of their own, each with one key, that sign what was prepared for their owner and send it."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registry.domain.errors import RegistryError
from registry.domain.units import Principal
from registry.stacks.network import TESTNET
from registry.stacks.signing import PrivateKey
from workers.embedded.account import private_file
from workers.embedded.node import find_node
from workers.embedded.process import Process
from workers.local import CHECKOUT, NoNode, inherited

STOP_WALLETS = 5


class WalletSilent(RegistryError):
    """A wallet ended well and named no transaction."""

    code = "wallet_silent"
    sentence = "the wallet {name} did not say which transaction it sent"
    remedy = "look at {log}"


def new_key() -> str:
    """Make a private key, as the 66 hex digits of one whose public key is compressed."""
    return secrets.token_hex(32) + "01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """An owner's wallet by name, with the key that it alone is given."""

    name: str
    key: str = field(default_factory=new_key, repr=False)

    @property
    def address(self) -> Principal:
        """Whose coins it spends."""
        return Principal(PrivateKey.from_hex(self.key).address(TESTNET))

    def signing(self, payload: Mapping[str, object], *, node_url: str, directory: Path) -> Process:
        """Describe the program that signs a payload and sends it: a job, whose log then names the transaction."""
        node = find_node()
        if node is None:
            raise NoNode
        prepared = private_file(directory / f"{self.program}.json", json.dumps(payload))
        return Process(
            name=self.program,
            argv=(*node.node, "devnet/wallet.mjs", "--node", node_url, str(prepared)),
            environment={**inherited(), "WALLET_KEY": self.key},
            stop_order=STOP_WALLETS,
            stop_seconds=0.5,
            cwd=CHECKOUT,
        )

    @property
    def program(self) -> str:
        """What its process is called."""
        return f"wallet-{self.name}"

    def sent(self, log: Path) -> str:
        """Read the txid that its program printed."""
        try:
            return str(json.loads(log.read_text())["txid"])
        except (OSError, ValueError, KeyError, TypeError):
            raise WalletSilent(name=self.name, log=str(log)) from None
