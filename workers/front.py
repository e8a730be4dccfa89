"""The task that forgets what the front door kept and nobody will ask for again."""

from datetime import timedelta

from registry.services import sign_in, submissions
from workers.app import app
from workers.runtime import runtime

MOST_AT_ONCE = 1_000
MOST_BATCHES = 20


@app.task(name="front.forget")
def forget() -> int:
    """Remove sessions, challenges and answers that are long over, in batches; answer how many rows are gone."""
    own = runtime()
    now, age = own.now(), timedelta(days=own.settings.submission_days)
    gone = sign_in.forget(own.database, now=now, limit=MOST_AT_ONCE)
    for _ in range(MOST_BATCHES):
        batch = submissions.forget(own.database, age=age, limit=MOST_AT_ONCE, now=now)
        gone += batch
        if batch < MOST_AT_ONCE:
            break
    return gone
