"""Probes: what somebody tries that is not to succeed, and what the contracts or the registry say to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.domain.errors import RegistryError
from registry.domain.units import TxId
from registry.stacks import clarity
from registry.stacks.clarity import Err, Ok, UInt
from registry.stacks.contract_errors import ContractError
from registry.stacks.node import ChainStatus, SeenTransaction, StacksNode

NO_ANSWER = "none"
SKIPPED = "skipped"


class ProbeWentWrong(RegistryError):
    """Something was answered to that should have been answered otherwise."""

    code = "probe_went_wrong"
    sentence = "{who} tried {what}: the answer was {answer}, it should have been {wanted}"
    remedy = "look at the contracts and the workers' logs"


@dataclass(slots=True, kw_only=True)
class Probe:
    """One of them: who, what, the answer that is wanted and, once there is one, the answer."""

    who: str
    what: str
    wanted: str
    by: str = "contract"
    tx_id: TxId | None = None
    answer: str = NO_ANSWER

    def read(self, node: StacksNode) -> None:
        """Take the answer from the transaction, or leave it for later while no block holds that."""
        seen = None if self.tx_id is None else node.transaction(self.tx_id)
        if seen is not None and seen.block is not None:
            self.answer = contract_answer(seen)

    def require(self) -> None:
        """See that the answer is the one that was wanted.

        Raises:
            ProbeWentWrong: it is another, or there is none.
        """
        if self.answer != self.wanted:
            raise ProbeWentWrong(who=self.who, what=self.what, answer=self.answer, wanted=self.wanted)

    def to_json(self) -> dict[str, Any]:
        """Everything of it."""
        return {"who": self.who, "what": self.what, "by": self.by, "answer": self.answer, "tx_id": self.tx_id}


def refused(error: ContractError) -> str:
    """A contract's refusal as it is shown: number and name."""
    return f"u{error.value} {error.name.lower()}"


def contract_answer(seen: SeenTransaction) -> str:
    """What a mined transaction returned: the error's number and name, or that it was done."""
    value = None if seen.result is None else clarity.decode(seen.result)
    match value:
        case Err(value=UInt(value=number)) if number in list(ContractError):
            return refused(ContractError(number))
        case Ok() if seen.status is ChainStatus.SUCCESS:
            return "ok"
        case _:
            return f"{seen.status} {value}"


def entered(seen: SeenTransaction) -> int | None:
    """The id that an entry in the registry got."""
    match None if seen.result is None else clarity.decode(seen.result):
        case Ok(value=UInt(value=number)):
            return number
        case _:
            return None


def registry_answer(ask: Callable[[], object]) -> str:
    """The code of the refusal that a question to the registry ends with."""
    try:
        ask()
    except RegistryError as refusal:
        return refusal.code
    return "accepted"
