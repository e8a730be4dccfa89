"""What a service's key may do."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of thing; a holder who signed in with a wallet needs none for what is his."""

    READ = "read"
    POOL = "pool"
    EVENTS = "events"
    OPERATOR = "operator"
