"""Repairs: one page of a reconciliation compared, mended by edges and by following again, and compared once more."""

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from registry.domain.drift import Finding, Kind, Repair
from registry.domain.errors import Alarm
from registry.services import blocks, pool_comparison, reconciliation, sync
from registry.stacks.node import TipGone
from registry.store.tables import ReconciliationRow
from workers.runtime import Runtime

_LOG = structlog.get_logger()

BLOCKS_AT_ONCE = 100
_FOLLOWED_AGAIN = {Repair.FOLLOW_AGAIN, Repair.WALK_AGAIN}
ROUNDS = 3
"""Times that one page is mended: what is wrong at first may hide something else."""

_SPOIL_TIERS = {(Kind.COLLATERAL, Repair.NOBODY), (Kind.UNKNOWN, Repair.NOBODY), (Kind.UNKNOWN, Repair.FOLLOW_AGAIN)}
"""What makes reservations a bad thing to add up: one of them is lost, or is of another amount than on chain."""

Tell = Callable[[str], None]
"""Says on a terminal what is being done."""


def next_page(
    own: Runtime,
    run: ReconciliationRow,
    *,
    size: int,
    deepest: int | None = None,
    passed_by: Collection[tuple[str, str]] = (),
    tell: Tell = lambda _: None,
) -> bool:
    """Compare and mend one page; False if another worker did so meanwhile.

    Blocks are followed again from at most `deepest` of them back. What is `passed_by` is told of and not mended.

    Raises:
        NodeUnavailable: the node does not answer, or does not know our blocks; the page is compared another time.
    """
    try:
        page = left = _look(own, run, size=size)
        tried = set(passed_by)
        for _ in range(0 if run.is_dry else ROUNDS):
            chosen = _chosen(own, left.findings, deepest=deepest, passed_by=tried, before=run)
            if not chosen:
                break
            tried |= {each.key for each in chosen}
            _mend(own, chosen, tell=tell)
            left = _look(own, run, size=size)
            page = reconciliation.with_more(page, left.findings)
        mended = {each.key for each in page.findings} - {each.key for each in left.findings}
    except TipGone:
        if not reconciliation.begin_again(own.database, run.id, depths=own.settings.depths):
            raise
        return True
    return reconciliation.keep(own.database, run, page, mended=mended, now=own.now())


def _look(own: Runtime, run: ReconciliationRow, *, size: int) -> reconciliation.Page:
    return reconciliation.look(own.database, own.node, own.contracts, run, size=size, now=own.now())


def _chosen(
    own: Runtime,
    findings: Sequence[Finding],
    *,
    deepest: int | None,
    passed_by: Collection[tuple[str, str]],
    before: ReconciliationRow,
) -> list[Finding]:
    """What is to be mended by itself."""
    lowest = None if deepest is None else own.node.tip().height - deepest
    earlier = {(each["kind"], each["repair"]) for each in before.findings if not each["repaired"]}
    spoilt = _SPOIL_TIERS & (earlier | {(each.kind.value, each.repair.value) for each in findings})
    return [
        each
        for each in findings
        if each.repair is not Repair.NOBODY
        and each.key not in passed_by
        and not (each.repair is Repair.RECOUNT and spoilt)
        and not (each.height is not None and lowest is not None and each.height < lowest)
    ]


def _mend(own: Runtime, findings: Sequence[Finding], *, tell: Tell) -> None:
    concerned = {each.policy_id for each in findings if each.policy_id is not None}
    for each in findings:
        if each.repair is Repair.RECOUNT:
            # before anything is walked, for edges add to these sums
            pool_comparison.recount(own.database, each.subject)
    again = [each.height for each in findings if each.repair in _FOLLOWED_AGAIN and each.height is not None]
    if again:
        tell(f"blocks are followed again from {min(again)}")
        concerned |= blocks.refollow_from(own.database, min(again), now=own.now())
        _walk(own, {each.policy_id for each in findings if each.repair is Repair.WALK_AGAIN})
    if again or any(each.repair is Repair.FOLLOW for each in findings):
        concerned |= _follow(own, tell=tell)
    tell(f"{len(concerned)} policies are looked at")
    _walk(own, concerned)
    if again:
        # what left quarantine in between is quarantined anew
        _walk(own, _follow(own, tell=tell))


def _follow(own: Runtime, *, tell: Tell) -> set[UUID]:
    concerned: set[UUID] = set()
    applied = 0
    while True:
        followed = blocks.follow(
            own.database,
            own.node,
            own.contracts,
            depths=own.settings.depths,
            limit=BLOCKS_AT_ONCE,
            now=own.now(),
        )
        concerned |= set(followed.policy_ids)
        applied += followed.applied
        if not followed.behind:
            return concerned
        tell(f"{applied} blocks are applied")


def _walk(own: Runtime, policy_ids: Collection[UUID | None]) -> None:
    height = own.height()
    if height is None:
        return
    for policy_id in sorted(each for each in policy_ids if each is not None):
        try:
            sync.sync(own.database, own.contracts, policy_id, height=height, now=own.now())
        except (Alarm, IntegrityError) as error:
            # what was written by hand may stand in the way of an edge: it is found again, and told of
            _LOG.error("reconciliation.not_synced", policy_id=str(policy_id), error=type(error).__name__)
