"""The schedule, as data: what beat enqueues, how often, and after how many seconds a message is worth nothing.

Each interval can be overridden by name in REGISTRY_SCHEDULE_SECONDS, a JSON object, e.g. {"poll": 2}.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """One line of the schedule; `seconds` between two messages, each void after `expires` seconds."""

    name: str
    task: str
    seconds: float
    expires: float


SCHEDULE = (
    Entry(name="expiration_sweep", task="policies.sweep_expirations", seconds=3600, expires=1800),
    Entry(name="quote_expiry", task="policies.expire_quotes", seconds=60, expires=60),
    Entry(name="follow", task="chain.follow", seconds=10, expires=10),
    Entry(name="poll", task="transactions.poll", seconds=10, expires=10),
    Entry(name="advance", task="policies.advance", seconds=10, expires=10),
)
