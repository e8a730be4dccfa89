"""Owners: whose name a service may bring."""

from registry.domain.errors import BadRequest
from registry.domain.units import Principal
from registry.stacks.errors import DecodeError
from registry.stacks.network import Network
from registry.stacks.principals import ContractPrincipal, StandardPrincipal, parse_principal


def check_owner(value: object, *, network: Network) -> Principal:
    """Take a principal in its one canonical spelling, of this network; anything else is `BadRequest`."""
    if not isinstance(value, str):
        raise BadRequest(field="owner_principal", reason="it is not a text")
    try:
        principal = parse_principal(value)
    except DecodeError as error:
        raise BadRequest(field="owner_principal", reason=str(error)) from None
    account = principal.deployer if isinstance(principal, ContractPrincipal) else principal
    if not isinstance(account, StandardPrincipal) or account.version not in {network.single_sig, network.multi_sig}:
        raise BadRequest(field="owner_principal", reason="it belongs to another network")
    return Principal(value)
