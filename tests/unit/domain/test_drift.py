"""Which statuses may stand together, and what is said of what may not."""

import pytest

from registry.domain.drift import Finding, Kind, agrees
from registry.domain.height import ChainHeight, Depth, Depths
from registry.domain.policy import OnChainStatus, PolicyStatus
from registry.domain.units import BurnHeight

TOGETHER = {
    None: "PendingCreation FailedCreation",
    0: "Active Settling Expiring FailedSettlement FailedExpiration Quarantined",
    1: "Settling Settled",
    2: "Expiring Expired",
}


@pytest.mark.parametrize("on_chain", [None, *OnChainStatus])
@pytest.mark.parametrize("status", PolicyStatus)
def test_exactly_these_statuses_agree_with_the_chains(status: PolicyStatus, on_chain: OnChainStatus | None) -> None:
    assert agrees(status, on_chain) == (status in TOGETHER[on_chain].split())


@pytest.mark.parametrize("kind", Kind)
def test_every_finding_says_what_to_do_and_only_a_surplus_is_no_drift(kind: Kind) -> None:
    finding = Finding(kind=kind, subject="7", ours={}, chain={})
    assert finding.advice
    assert finding.is_drift == (kind is not Kind.SURPLUS)


@pytest.mark.parametrize(
    ("height", "depth"),
    [(100, Depth.INCLUDED), (99, Depth.INCLUDED), (98, Depth.CONFIRMED), (95, Depth.CONFIRMED), (94, Depth.FINAL)],
)
def test_a_block_is_as_deep_as_the_blocks_on_top_of_it(height: int, depth: Depth) -> None:
    assert ChainHeight.at(BurnHeight(100), depths=Depths()).depth_of(BurnHeight(height)) is depth
