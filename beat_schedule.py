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


# What comes every few seconds may wait for six intervals: with one, a backlog a little longer would void every message.
SCHEDULE = (
    Entry(name="expiration_sweep", task="policies.sweep_expirations", seconds=3600, expires=1800),
    Entry(name="quote_expiry", task="policies.expire_quotes", seconds=60, expires=60),
    Entry(name="follow", task="chain.follow", seconds=10, expires=60),
    Entry(name="poll", task="transactions.poll", seconds=10, expires=60),
    Entry(name="heal", task="transactions.heal", seconds=30, expires=30),
    Entry(name="advance", task="policies.advance", seconds=10, expires=60),
    Entry(name="reconcile", task="policies.reconcile", seconds=14_400, expires=3600),
    Entry(name="stats_fold", task="stats.fold", seconds=60, expires=60),
    Entry(name="forget", task="front.forget", seconds=600, expires=600),
    Entry(name="webhook_collect", task="webhooks.collect", seconds=2, expires=12),
    Entry(name="webhook_deliver", task="webhooks.deliver", seconds=2, expires=12),
    Entry(name="webhook_notice", task="webhooks.notice", seconds=60, expires=60),
    Entry(name="webhook_forget", task="webhooks.forget", seconds=600, expires=600),
)
