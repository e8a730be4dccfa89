"""How an address names a policy: by our UUID, or by the chain's id."""

from typing import Annotated

from fastapi import Path

PolicyName = Annotated[
    str,
    Path(
        pattern=r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[1-9][0-9]{0,17})$",
        description="Our UUID, or the id on the chain, which a fork may change.",
        examples=["6f1f6f0e-5f0e-4a57-9a5e-0d7f5c1f9a10"],
    ),
]


def policy_name(given: str) -> str | int:
    """As tasks take it."""
    return int(given) if given.isdigit() else given.lower()
