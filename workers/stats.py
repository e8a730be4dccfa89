"""Tasks about stats: fold what was counted, keep each hour's figures."""

from registry.services import stats
from workers.app import app
from workers.runtime import runtime

MOST_AT_ONCE = 5_000
MOST_BATCHES = 20


@app.task(name="stats.fold")
def fold() -> int:
    """Fold the changes that wait, a batch a commit, and keep the hour that ended; answer how many were folded."""
    own = runtime()
    folded = 0
    for _ in range(MOST_BATCHES):
        batch = stats.fold(own.database, limit=MOST_AT_ONCE)
        folded += batch
        if batch < MOST_AT_ONCE:
            break
    stats.record_hour(own.database, now=own.now())
    return folded
