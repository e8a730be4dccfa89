"""The queues by name: which processes serve them is a matter of keys, and of what must not wait for what."""

SIGNING = "signing"
CHAIN = "chain"
DEFAULT = "default"
WEBHOOKS = "webhooks"
QUEUES = (SIGNING, CHAIN, DEFAULT, WEBHOOKS)
