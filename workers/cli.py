"""The `registry` command: one file per noun in `workers/commands`, each imported here and light."""

from workers.commands import (
    api_keys,
    contracts,
    database,
    doctor,
    failures,
    keys,
    parameters,
    policies,
    pool,
    quarantine,
    reconcile,
    signers,
    stack,
    webhooks,
)
from workers.commands.frame import group

app = group(
    name="registry",
    summary="Bitcoin price protection on Stacks: run the whole stack, prepare a database, deploy contracts, look after "
    "policies.",
)
for noun in (
    stack,
    database,
    doctor,
    contracts,
    parameters,
    policies,
    pool,
    quarantine,
    failures,
    signers,
    reconcile,
    keys,
    api_keys,
    webhooks,
):
    noun.add_to(app)


if __name__ == "__main__":
    app()
