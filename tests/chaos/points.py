"""At which points workers end themselves: each once in a run, a few of each task in each life of a worker."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from workers.queues import CHAIN, DEFAULT, SIGNING

TASKS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        SIGNING: (
            "policies.prepare_creation:",
            "transactions.sign_and_broadcast:",
            "transactions.sign_and_broadcast:settle",
            "transactions.sign_and_broadcast:expire",
        ),
        CHAIN: (
            "transactions.monitor:",
            "transactions.monitor:settle",
            "transactions.monitor:expire",
            "transactions.poll:settle",
            "transactions.poll:expire",
            "chain.follow:",
            "policies.sync_status:",
        ),
        DEFAULT: (
            "policies.request_creation:",
            "prices.fetch:",
            "premiums.quote:",
            "pool.check_capacity:",
            "policies.record_attempt:",
            "policies.request_activation:",
            "policies.begin_settlement:",
            "policies.begin_expiration:",
            "policies.sweep_expirations:",
            "policies.expire_quotes:",
            "policies.advance:",
            "policies.report_creation_tx:",
        ),
    }
)
"""What each queue's tasks are called at a point, with what they are for; a name that is never reached does no harm."""

PLACES = (
    ("commit.before", "publish.after"),
    ("commit.after", "call.before"),
    ("call.after", "publish.before"),
)
"""In turn, and few at once: a pool takes some seconds to replace who is gone, and a message may not end too many."""


def points(queue: str, *, turn: int) -> str:
    """Those of a worker's next life, as the setting takes them: first the first time at each place, then the second."""
    places, time = PLACES[turn % len(PLACES)], turn // len(PLACES) + 1
    return ",".join(f"{task}:{place}#{time}" for task in TASKS[queue] for place in places)
