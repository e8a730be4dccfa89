"""The `registry` command: one file per noun in `workers/commands`, each imported here and light."""

from workers.commands import (
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
):
    noun.add_to(app)


if __name__ == "__main__":
    app()
