"""Who may do what on a chain: the backend, the quote signer and the treasury, as the admin names them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from registry.domain.units import Principal
from registry.stacks.clarity import parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.node import StacksNode
from registry.stacks.principals import ContractPrincipal
from registry.stacks.shapes import principal
from registry.stacks.wire import ContractCall


class Duty(StrEnum):
    """What somebody is named for; until then it is the admin's."""

    BACKEND = "backend"
    QUOTE_SIGNER = "quote signer"
    TREASURY = "treasury"


_FUNCTIONS: Mapping[Duty, str] = MappingProxyType(
    {Duty.BACKEND: "backend-principal", Duty.QUOTE_SIGNER: "quote-signer", Duty.TREASURY: "treasury"}
)


def holder(node: StacksNode, contracts: Contracts, duty: Duty) -> Principal:
    """Ask the chain who has a duty."""
    contract_id = _home(contracts, duty)
    asker = Principal(contract_id.partition(".")[0])
    return principal(node.call_read(contract_id, f"get-{_FUNCTIONS[duty]}", sender=asker), f"the {duty}")


def naming(contracts: Contracts, duty: Duty, holder_to_be: Principal) -> ContractCall:
    """The admin's call that gives a duty to somebody."""
    return ContractCall(
        contract=ContractPrincipal.parse(_home(contracts, duty)),
        function=f"set-{_FUNCTIONS[duty]}",
        arguments=(parse_principal(holder_to_be),),
    )


def _home(contracts: Contracts, duty: Duty) -> Principal:
    return contracts.registry if duty is Duty.BACKEND else contracts.pool
