"""The order of the feed: places given to events that were committed, so that no reader is overtaken."""

from sqlalchemy import text
from sqlalchemy.orm import Session

CHANNEL = "policy_feed"
"""What every commit that moves a policy notifies."""
MOST_PLACES = 1_000

_ANY_WAITS = text("SELECT EXISTS (SELECT FROM policy_feed WHERE seq IS NULL)")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('policy_feed'))")
_GIVE = text(
    """
    WITH last AS MATERIALIZED (
      SELECT coalesce((SELECT seq FROM policy_feed WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1), 0) AS seq
    ), waiting AS MATERIALIZED (
      SELECT event_id FROM policy_feed WHERE seq IS NULL ORDER BY event_id LIMIT :most
    ), placed AS MATERIALIZED (
      SELECT event_id, last.seq + row_number() OVER (ORDER BY event_id) AS seq FROM waiting, last
    )
    UPDATE policy_feed SET seq = placed.seq FROM placed WHERE policy_feed.event_id = placed.event_id
    RETURNING policy_feed.seq
    """
)
_LAST = text("SELECT seq FROM policy_feed WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")


def give_places(session: Session, *, most: int = MOST_PLACES) -> int:
    """Number what was committed without a place, in the order of its ids; answer how many got one.

    Fewer than `most` were all there are. Any number of processes may do this at once: each waits for the others'
    commits. The transaction must be READ COMMITTED, as those of a unit of work are.
    """
    if not session.execute(_ANY_WAITS).scalar_one():
        return 0
    # a statement of its own: what follows must see whatever was committed before the lock came free
    session.execute(_LOCK)
    return len(session.execute(_GIVE, {"most": most}).all())


def last_place(session: Session) -> int:
    """The newest place, 0 before the first."""
    return session.execute(_LAST).scalar_one_or_none() or 0
