"""A forger: somebody with a wallet who tries what the contracts are to refuse, and what they allow anybody."""

from collections.abc import Mapping
from typing import Any

from registry.domain.units import USD8, BurnHeight, Principal
from registry.stacks.clarity import StringAscii, UInt, Value, from_hex, parse_principal
from registry.stacks.contract_errors import ContractError
from registry.stacks.node import StacksNode
from registry.stacks.wire import SmartContract
from workers.demo.deployment import Account, Cast
from workers.demo.probes import Probe, refused
from workers.demo.wallets import Wallet
from workers.deployment.sources import CLARITY_VERSION

CONTRACT = "other-pool"
CONTRACT_SOURCE = """\
;; Another counterparty: enters policies in the registry under its own name, as anybody's contract may.
(define-public (enter (expiration-height uint))
  (contract-call? '{registry} create-policy-entry
    tx-sender (as-contract tx-sender) u{strike} u{amount} expiration-height "PUT"))
"""
STRIKE = 45_000 * USD8
AMOUNT = 10**6
ENTERED = "ok"

_PREMIUM = 1
"""The place of the premium among a purchase's arguments."""


class Forger:
    """Signs and sends by himself: what a wallet would not do for him, a program does."""

    def __init__(self, wallet: Wallet, *, cast: Cast, node: StacksNode) -> None:
        self._wallet = wallet
        self._cast = cast
        self._node = node

    @property
    def contract(self) -> Principal:
        """The counterparty that he made up."""
        return Principal(f"{self._wallet.address}.{CONTRACT}")

    def deploy(self) -> None:
        """Send the contract of the made-up counterparty; the next block holds it."""
        code = CONTRACT_SOURCE.format(registry=self._cast.contract("policy-registry"), strike=STRIKE, amount=AMOUNT)
        self._account().send(CONTRACT, SmartContract(name=CONTRACT, code=code, clarity_version=CLARITY_VERSION))

    def forge(
        self, own: Mapping[str, Any], others: Mapping[str, Any], *, expiration: BurnHeight
    ) -> tuple[list[Probe], Probe]:
        """Try everything once, with a quote of his own and one that was signed for somebody else.

        Answers what is to be refused, and the entry of the other counterparty, which is not.
        """
        account, pool = self._account(), self._cast.contract("liquidity-pool")
        tries = [
            self._purchase(account, _cheaper(own), what="a quote with a lower premium"),
            self._purchase(account, others, what="a quote that was signed for another"),
            self._entry(account, self._wallet.address, expiration, ContractError.REGISTRY_BAD_PARAMETERS),
            self._entry(account, pool, expiration, ContractError.REGISTRY_NOT_AUTHORISED),
        ]
        allowed = Probe(
            who=self._wallet.name,
            what="an entry of another counterparty",
            wanted=ENTERED,
            tx_id=account.call(self.contract, "enter", UInt(expiration)),
        )
        return tries, allowed

    def repeat(self, own: Mapping[str, Any]) -> Probe:
        """Buy once more by the quote that has been bought by."""
        return self._purchase(self._account(), own, what="a quote that has been used", error=ContractError.QUOTE_USED)

    def _purchase(
        self,
        account: Account,
        payload: Mapping[str, Any],
        *,
        what: str,
        error: ContractError = ContractError.QUOTE_NOT_SIGNED,
    ) -> Probe:
        arguments = [from_hex(each) for each in payload["functionArgs"]]
        sent = account.call(Principal(payload["contract"]), payload["functionName"], *arguments)
        return Probe(who=self._wallet.name, what=what, wanted=refused(error), tx_id=sent)

    def _entry(self, account: Account, counterparty: Principal, expiration: BurnHeight, error: ContractError) -> Probe:
        """Go to the registry straight, past every pool."""
        owner = self._wallet.address
        arguments: tuple[Value, ...] = (
            parse_principal(owner),
            parse_principal(counterparty),
            UInt(STRIKE),
            UInt(AMOUNT),
            UInt(expiration),
            StringAscii("PUT"),
        )
        sent = account.call(self._cast.contract("policy-registry"), "create-policy-entry", *arguments)
        named = "his own" if counterparty == owner else "the pool's"
        return Probe(
            who=self._wallet.name,
            what=f"an entry straight in the registry in {named} name",
            wanted=refused(error),
            tx_id=sent,
        )

    def _account(self) -> Account:
        """His key at the nonce that comes next now."""
        return Account(self._wallet, self._node)


def _cheaper(payload: Mapping[str, Any]) -> dict[str, Any]:
    arguments = list(payload["functionArgs"])
    premium = from_hex(arguments[_PREMIUM])
    if isinstance(premium, UInt):
        arguments[_PREMIUM] = UInt(premium.value - 1).encode().hex()
    return {**payload, "functionArgs": arguments}
