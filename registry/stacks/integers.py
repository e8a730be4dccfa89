"""The unsigned integers of a transaction: nonces, fees and amounts have 64 bits."""

from registry.stacks.errors import EncodeError

U64_MAX = 2**64 - 1


def refuse_beyond_u64(what: str, number: int) -> None:
    """Refuse what does not fit 64 bits, or is negative."""
    if not 0 <= number <= U64_MAX:
        raise EncodeError(what, "it is not one of 0 to 2^64 - 1")


def encode_u64(number: int) -> bytes:
    """The 8 bytes of a number that was not refused."""
    return number.to_bytes(8, "big")
