"""The task that compares Postgres with the contracts, a page a message, and mends what the chain decides."""

from registry.services import reconciliation
from workers import canvases, repairs
from workers.app import app
from workers.runtime import runtime

MOST_FOLLOWED_AGAIN = 500
"""Blocks that are followed again by itself, within the time that a task has; `registry reconcile` goes back farther."""


@app.task(name="policies.reconcile")
def reconcile() -> int:
    """Compare the next page of the run that is not at its end, or begin one; answer how much differed so far."""
    own = runtime()
    run_id = reconciliation.unfinished(own.database, now=own.now())
    if run_id is None:
        run_id = reconciliation.begin(own.database, depths=own.settings.depths, is_dry=False, now=own.now())
    if run_id is None:
        return 0
    own_page = repairs.next_page(
        own,
        reconciliation.state(own.database, run_id),
        size=reconciliation.PAGE,
        deepest=MOST_FOLLOWED_AGAIN,
        passed_by=reconciliation.given_up_on(own.database),
    )
    run = reconciliation.state(own.database, run_id)
    if own_page and run.finished_at is None:
        canvases.reconcile().delay()
    return len(run.findings)
