"""Policies as of a height: what is told of it later is what was told at it, forks included."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from registry.domain.errors import HeightNotKept, NoBlockYet
from registry.domain.height import Depths
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Principal
from registry.queries import pages
from registry.queries.history import Sight
from registry.queries.policies import get_by_id
from registry.queries.search import Filter, Order
from registry.services import quarantine
from registry.stacks.contracts import Contracts
from registry.stacks.network import TESTNET
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow
from tests.integration import doors, rows
from tests.integration.asking import BORN, Asking, add, asking, pending, policy
from tests.integration.driver import Driver
from tests.integration.test_api import refused
from tests.integration.walks import WEEK, unexplained

LOOKED = "last_checked_block_height_expiry"
CONTRACTS = Contracts(
    network=TESTNET, **{name.removesuffix("_contract"): Principal(each) for name, each in doors.CONTRACTS.items()}
)


@dataclass
class Witness:
    """Writes down what is told of a policy at each height, while it is the newest; the last word counts."""

    driver: Driver
    policies: list[UUID]
    told: dict[int, dict[UUID, dict[str, Any]]] = field(default_factory=dict)

    def look(self) -> None:
        shown = [get_by_id(self.driver.database, {"policy_id": str(each)}) for each in self.policies]
        self.told[self.driver.height.tip] = {
            each: {name: value for name, value in told.items() if name not in {"chain", LOOKED}}
            for each, told in zip(self.policies, shown, strict=True)
            if told is not None
        }
        for height in [height for height in self.told if height > self.driver.height.tip]:
            del self.told[height]

    def burn(self, count: int = 1) -> None:
        """One block after another, each followed and looked at."""
        for _ in range(count):
            self.driver.chain.burn()
            self.follow()

    def follow(self) -> None:
        """Follow to the tip; what lies in between was passed with the policies as they stood before that."""
        before = self.told[self.driver.height.tip]
        started = self.driver.now()
        self.driver.follow()
        with unit_of_work(self.driver.database) as session:
            passed = session.execute(
                select(col(BlockRow.burn_height)).where(col(BlockRow.is_canonical), col(BlockRow.applied_at) >= started)
            )
            self.told.update(dict.fromkeys(passed.scalars(), before))
        for policy_id in self.policies:
            self.driver.sync(policy_id)
        self.look()

    def check(self) -> str:
        """Everything is told again as it was; answers the statuses of the first policy from height to height."""
        owner = self.driver.policy(self.policies[0]).owner_principal
        statuses = []
        for height, expected in sorted(self.told.items()):
            page = listed(self.driver, height, owner=Principal(owner))
            by_id = {UUID(item["id"]): item for item in page}
            for policy_id in self.policies:
                shown = as_of(self.driver, policy_id, height)
                if policy_id not in expected:
                    assert (shown, policy_id in by_id) == (None, False)
                    continue
                assert shown is not None, height
                assert by_id[policy_id].items() <= shown.items()
                del shown["as_of"], shown[LOOKED]
                assert (height, shown) == (height, expected[policy_id])
            if self.policies[0] in expected:
                statuses.append(expected[self.policies[0]]["status_detailed"])
        return " ".join(dict.fromkeys(statuses))


def as_of(driver: Driver, policy_id: UUID, height: int, *, sight: Sight = Sight.OUTSIDE) -> dict[str, Any] | None:
    return pages.one_as_of(
        driver.database,
        driver.chain.contracts,
        str(policy_id),
        owner=None,
        height=BurnHeight(height),
        sight=sight,
    )


def listed(driver: Driver, height: int, **wanted: Any) -> list[dict[str, Any]]:
    found = pages.page(
        driver.database,
        driver.chain.contracts,
        Filter(**wanted),
        Order(),
        limit=100,
        after=None,
        height=BurnHeight(height),
        now=driver.now(),
    )
    items: list[dict[str, Any]] = found["items"]
    return items


def bought(driver: Driver, **changes: Any) -> tuple[Witness, UUID]:
    """A witness of a policy from before its quote to the confirmation of its purchase."""
    driver.chain.burn()
    driver.follow()
    witness = Witness(driver=driver, policies=[])
    witness.look()
    answer = driver.quote(**changes)
    policy_id = UUID(answer["policy"]["id"])
    witness.policies.append(policy_id)
    witness.look()
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    witness.burn(4)
    return witness, policy_id


def test_what_is_told_of_each_height_of_a_payout_is_what_was_told_at_it(driver: Driver) -> None:
    witness, policy_id = bought(driver)
    driver.chain.price("40000")
    witness.burn(4)
    driver.activate(policy_id)
    witness.look()
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    witness.burn(4)
    assert driver.edges(policy_id) == "abcd"
    assert witness.check() == "PendingCreation Active Settling Settled"


def test_what_is_told_of_each_height_across_forks_is_what_was_believed_at_it_last(driver: Driver) -> None:
    witness, policy_id = bought(driver)
    driver.chain.price("40000")
    witness.burn(4)
    driver.activate(policy_id)
    witness.look()
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    witness.burn(4)
    # the payout is undone, and paid again
    driver.chain.reorganise(4)
    driver.chain.mine()
    for _ in range(4):
        driver.chain.burn()
    witness.follow()
    witness.burn(4)
    assert driver.edges(policy_id) == "abcdqd"
    witness.check()
    # the purchase is undone for good: what later heights showed is there still where they stand
    driver.chain.reorganise(15, transactions="drop")
    for _ in range(3):
        driver.chain.burn()
    witness.follow()
    witness.burn(4)
    assert driver.edges(policy_id).startswith("abcdqdq")
    witness.check()


def test_a_purchase_that_was_bought_again_is_told_as_it_was_from_its_orphaned_block(driver: Driver) -> None:
    """The fork goes back less far than the height asked for, so that height never passed again."""
    witness, policy_id = bought(driver)
    row = driver.policy(policy_id)
    height = driver.height.tip
    witness.burn(2)
    told = witness.told[height][policy_id]
    later = driver.now() + timedelta(seconds=1)
    edges = ("p", "PendingCreation"), ("b", "Active")
    with unit_of_work(driver.database) as session:
        for edge, status in edges:
            session.add(
                rows.event(
                    policy_id, edge=edge, to_status=status, cause="a test", actor="chain", at=later, height=height + 9
                )
            )
            session.flush()
        found = session.get_one(type(row), policy_id)
        found.policy_id_on_chain, found.creation_height, found.tx_id_creation = 77, height + 9, "f" * 64
        found.premium_amount_base_units = found.premium_fee_amount_base_units = 1
        found.creation_timestamp = found.expiration_timestamp_estimate = BORN
    shown = as_of(driver, policy_id, height)
    assert shown is not None
    assert {name: shown[name] for name in told} == told
    now = get_by_id(driver.database, {"policy_id": str(policy_id)})
    assert now is not None
    assert (now["policy_id_on_chain"], told["policy_id_on_chain"]) == (77, 1)


def test_what_is_told_of_each_height_of_an_expiration_is_what_was_told_at_it(driver: Driver) -> None:
    witness, policy_id = bought(driver, duration_days=7)
    driver.chain.burn(WEEK)
    witness.follow()
    driver.sweep()
    driver.expire(policy_id)
    witness.look()
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    witness.burn(4)
    assert driver.edges(policy_id) == "abjk"
    assert witness.check() == "PendingCreation Active Expiring Expired"
    looked = driver.policy(policy_id).last_checked_block_height_expiry
    assert looked is not None
    before, since = (as_of(driver, policy_id, height) for height in (sorted(witness.told)[1], looked))
    assert before is not None
    assert since is not None
    assert (before[LOOKED], since[LOOKED]) == (None, looked)


def test_a_quote_that_ran_out_is_told_with_what_was_decided_before_it_was_void(driver: Driver) -> None:
    witness, policy_id = bought(driver)
    driver.chain.price("40000")
    driver.activate(policy_id)
    witness.look()
    decided = witness.told[driver.height.tip][policy_id]["oracle_data_snapshot_settlement"]
    assert decided is not None
    witness.burn(3)
    driver.chain.reorganise(8, transactions="drop")
    for _ in range(4):
        driver.chain.burn()
    witness.follow()
    witness.burn(4)
    assert driver.edges(policy_id) == "abcp"
    assert driver.give_up(policy_id)
    witness.look()
    assert driver.policy(policy_id).oracle_data_snapshot_settlement is None
    assert driver.edges(policy_id) == "abcpe"
    told = {each[policy_id]["oracle_data_snapshot_settlement"] is not None for each in witness.told.values() if each}
    assert told == {True, False}
    witness.check()


def test_an_operators_release_is_told_from_then_on_and_by_name_to_operators_alone(driver: Driver) -> None:
    policy_id = unexplained(driver)
    driver.chain.burn()
    driver.follow()
    height = driver.height.tip
    witness = Witness(driver=driver, policies=[policy_id])
    witness.look()
    witness.burn()
    quarantine.release(
        driver.database,
        driver.chain.contracts,
        policy_id,
        tier=RiskTier.BALANCED,
        reason="the backup of Monday",
        actor="yolanda",
        now=driver.now(),
    )
    witness.look()
    witness.burn()
    assert witness.check() == "Quarantined Active"
    before, after = as_of(driver, policy_id, height), as_of(driver, policy_id, height + 1)
    assert before is not None
    assert after is not None
    assert (before["risk_tier"], before["parameters_id"]) == (None, None)
    assert [event["edge"] for event in before["as_of"]["events"]] == ["n"]
    assert [event["actor"] for event in after["as_of"]["events"]] == ["chain", "operator"]
    assert "Monday" not in str(after)
    seen = as_of(driver, policy_id, height + 1, sight=Sight.OPERATOR)
    assert seen is not None
    assert seen["as_of"]["events"][1]["actor"] == "yolanda"
    for sight, shown in ((Sight.OUTSIDE, 0), (Sight.OPERATOR, 1)):
        told = pages.timeline(driver.database, str(policy_id), owner=None, depths=Depths(), sight=sight)
        assert ("Monday" in str(told), "yolanda" in str(told)) == (bool(shown), bool(shown))


def test_a_list_as_of_a_height_filters_by_the_status_of_then(driver: Driver) -> None:
    witness, policy_id = bought(driver)
    heights = sorted(witness.told)
    found = {
        status: [height for height in heights if listed(driver, height, statuses=(status,))]
        for status in ("PendingCreation", "Active")
    }
    statuses = {
        height: told[policy_id]["status_detailed"] for height, told in witness.told.items() if policy_id in told
    }
    for status, some in found.items():
        assert some == [height for height, told in sorted(statuses.items()) if told == status]


def test_the_list_as_of_a_height_comes_in_pages_that_hold_each_once(database: Database) -> None:
    made = [pending(number, created_at=BORN + timedelta(seconds=number // 3)) for number in range(9)]
    late = policy(99, created_at=BORN + timedelta(days=2))
    add(database, *made, late)
    add(database, *(rows.event(row.id, at=row.created_at) for row in (*made, late)))
    add(
        database,
        rows.block(applied_at=BORN),
        rows.block(index_block_hash="c" * 64, height=2, burn_height=9, applied_at=BORN + timedelta(days=1)),
    )
    seen: list[str] = []
    after = None
    while True:
        page = pages.page(
            database,
            CONTRACTS,
            Filter(),
            Order(),
            limit=4,
            after=after,
            height=BurnHeight(5),
            now=BORN,
        )
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(str(row.id) for row in made)


# which heights are known


def test_a_height_that_has_not_come_or_is_not_known_is_refused(driver: Driver) -> None:
    driver.chain.burn(3)
    driver.follow()
    policy_id = UUID(driver.quote()["policy"]["id"])
    tip = driver.height.tip
    with pytest.raises(HeightNotKept) as ahead:
        as_of(driver, policy_id, tip + 1)
    first = ahead.value.figures["lowest"]
    assert ahead.value.figures == {"height": tip + 1, "lowest": first, "highest": tip}
    assert as_of(driver, policy_id, tip) is not None
    assert isinstance(first, int)
    assert as_of(driver, policy_id, first) is None
    with pytest.raises(HeightNotKept):
        as_of(driver, policy_id, first - 1)
    with unit_of_work(driver.database) as session:
        session.execute(update(BlockRow).values(applied_at=None))
    with pytest.raises(HeightNotKept) as unknown:
        as_of(driver, policy_id, first)
    assert unknown.value.figures["lowest"] == tip
    assert as_of(driver, policy_id, tip) is not None


def test_without_any_block_nothing_is_known_of_heights(database: Database) -> None:
    add(database, made := policy(1))
    with pytest.raises(NoBlockYet):
        pages.one_as_of(database, CONTRACTS, str(made.id), owner=None, height=BurnHeight(1), sight=Sight.OUTSIDE)


# over HTTP


@pytest.fixture
def front(database: Database, valkey: str) -> Iterator[Asking]:
    with asking(database, f"{valkey.removesuffix('/0')}/9") as own:
        yield own


def test_over_http_a_height_is_a_query_and_its_refusal_says_which_are_known(front: Asking, database: Database) -> None:
    made = policy(1)
    add(database, made)
    add(
        database,
        rows.event(made.id, at=BORN),
        rows.event(made.id, edge="b", to_status="Active", at=BORN + timedelta(days=2), height=8, tx_id="a" * 64),
        rows.block(applied_at=BORN - timedelta(days=1)),
        rows.block(index_block_hash="c" * 64, height=2, burn_height=9, applied_at=BORN + timedelta(days=1)),
    )
    told = front.found("/v1/policies/1", "owner", as_of_height=5)
    assert (told["status_detailed"], told["policy_id_on_chain"], told["premium_amount_base_units"]) == (
        "PendingCreation",
        None,
        None,
    )
    assert (told["as_of"]["height"], told["as_of"]["until"]) == (5, "2026-01-02T00:00:00+00:00")
    assert [event["edge"] for event in told["as_of"]["events"]] == ["a"]
    assert front.found("/v1/policies/1", "owner", as_of_height=9)["status_detailed"] == "Active"
    listed_then = front.found("/v1/policies", "owner", as_of_height=5, status="PendingCreation")["items"]
    assert [item["id"] for item in listed_then] == [str(made.id)]
    for path in ("/v1/policies/1", "/v1/policies"):
        refusal = refused(front.get(path, "owner", as_of_height=10), 422, "height_not_kept")
        assert refusal["figures"] == {"height": "10", "lowest": "1", "highest": "9"}
        refused(front.get(path, "owner", as_of_height=-1), 400, "bad_request")
    query = {"as_of_height": 5, "expiring_within_hours": 1}
    refused(front.get("/v1/policies", "owner", **query), 422, "bad_request")
