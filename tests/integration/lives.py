"""Lives: what a policy goes through from a first message to an end, driven by messages and blocks alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from registry.domain.policy import PolicyStatus
from registry.stacks.wire import TESTNET
from registry.store.session import unit_of_work
from registry.store.tables import QuoteRow
from tests.integration.chain import new_key
from tests.integration.stage import SATS, Stage, Subject
from tests.integration.walks import appoint, backend, stranger

ROUNDS = 12
PATIENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a life begins, what whoever waits for it does again, and where it ends.

    `meanwhile` is what others do from time to time; `stock` is what the policies that it begins with are bought as,
    None where it begins without one. `commits` and `calls` are the tasks that must be seen to write, and to ask the
    node.
    """

    name: str
    end: PolicyStatus
    prepare: Callable[[Stage], Subject]
    begin: Callable[[Stage, Subject], None]
    is_answered: Callable[[Stage, Subject], bool] = lambda _stage, _subject: True
    meanwhile: Callable[[Stage, Subject], None] = lambda _stage, _subject: None
    stock: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    blocks: int = 2
    commits: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()

    def live(self, stage: Stage, subject: Subject) -> None:
        """Begin, ask again while there is no answer, then let time and blocks do the rest."""
        self.begin(stage, subject)
        for _ in range(PATIENCE):
            if self.is_answered(stage, subject):
                break
            self.begin(stage, subject)
        for _ in range(ROUNDS):
            policy = stage.policy(subject)
            if policy is not None and policy.status_detailed == self.end and not stage.is_open(policy):
                return
            self.meanwhile(stage, subject)
            stage.tick(blocks=self.blocks)
        raise AssertionError(f"{self.name} of {subject} has not ended: {policy and policy.status_detailed}")


def _somebody(_stage: Stage) -> Subject:
    return Subject(owner=new_key().address(TESTNET))


def _request(stage: Stage, subject: Subject) -> None:
    request = {
        "policy_type": "PUT",
        "protected_value_price_feed_units": 45_000 * 10**8,
        "protected_amount_sats": SATS,
        "duration_days": 30,
        "premium_token": "STX",
    }
    message = {"owner_principal": subject.owner, "idempotency_key": subject.key, "request": request}
    stage.send("policies.request_creation", message)


def _has_a_payload(stage: Stage, subject: Subject) -> bool:
    with unit_of_work(stage.driver.database) as session:
        quote = session.execute(
            select(QuoteRow).where(col(QuoteRow.idempotency_key) == subject.key)
        ).scalar_one_or_none()
        return quote is not None and quote.wallet_payload is not None


def bought(stage: Stage) -> Subject:
    """A purchase that is confirmed and not followed yet."""
    # long enough not to run out under the lives that follow
    ((subject, payload),) = stage.quote(1, duration_days=60)
    stage.driver.chain.buy(stage.driver.wallet, payload)
    stage.driver.chain.mine()
    stage.driver.chain.burn(stage.driver.depths.confirmed)
    return subject


def _follow(stage: Stage, _subject: Subject) -> None:
    stage.send("chain.follow")


def _fallen(stage: Stage) -> Subject:
    stage.driver.chain.price("40000")
    return stage.take()


def _activate(stage: Stage, subject: Subject) -> None:
    message = {"owner_principal": subject.owner, "policy_id": str(subject.policy_id), "idempotency_key": subject.key}
    stage.send("policies.request_activation", message)


def _is_decided(stage: Stage, subject: Subject) -> bool:
    policy = stage.policy(subject)
    return policy is not None and policy.status_detailed != PolicyStatus.ACTIVE


def _disowned(stage: Stage) -> Subject:
    """As `_fallen`, and the registry listens to another backend."""
    appoint(stage.driver, stranger(stage.driver))
    return _fallen(stage)


def _own_again(stage: Stage, subject: Subject) -> None:
    """Once the payout was refused, the registry listens to ours again."""
    policy = stage.policy(subject)
    if policy is not None and policy.status_detailed == PolicyStatus.FAILED_SETTLEMENT:
        appoint(stage.driver, backend(stage.driver))


def _run_out(stage: Stage) -> Subject:
    """The next one of the stock, run out; the workers know the height already."""
    subject = stage.take()
    policy, height = stage.policy(subject), stage.driver.height
    assert policy is not None
    if height.confirmed <= policy.expiration_height:
        stage.driver.chain.burn(policy.expiration_height + 1 - height.confirmed)
        stage.send("chain.follow")
    return subject


def _sweep(stage: Stage, _subject: Subject) -> None:
    stage.send("policies.sweep_expirations")


def _sweep_again(stage: Stage, subject: Subject) -> None:
    """The next sweep, where the last one left nobody who drives the policy."""
    policy = stage.policy(subject)
    if policy is not None and policy.status_detailed == PolicyStatus.ACTIVE and policy.next_look_at is None:
        _sweep(stage, subject)


_CONFIRMING = frozenset({"chain.follow", "policies.sync_status", "policies.advance"})
_SENDING = frozenset({"transactions.sign_and_broadcast", "transactions.monitor"})

LIVES = (
    Life(
        name="creation",
        end=PolicyStatus.FAILED_CREATION,
        prepare=_somebody,
        begin=_request,
        is_answered=_has_a_payload,
        blocks=5,
        commits=frozenset(
            {
                "policies.request_creation",
                "prices.fetch",
                "premiums.quote",
                "pool.check_capacity",
                "policies.record_attempt",
                "policies.prepare_creation",
                "policies.advance",
                "policies.expire_quotes",
            }
        ),
        calls=frozenset({"policies.record_attempt", "chain.follow"}),
    ),
    Life(
        name="confirmation",
        end=PolicyStatus.ACTIVE,
        prepare=bought,
        begin=_follow,
        commits=_CONFIRMING,
        calls=frozenset({"chain.follow"}),
    ),
    Life(
        name="activation",
        end=PolicyStatus.SETTLED,
        prepare=_fallen,
        begin=_activate,
        is_answered=_is_decided,
        stock={},
        commits=_CONFIRMING | _SENDING | {"policies.request_activation", "policies.begin_settlement"},
        calls=_SENDING | {"policies.request_activation"},
    ),
    Life(
        name="refusal",
        end=PolicyStatus.SETTLED,
        prepare=_disowned,
        begin=_activate,
        is_answered=_is_decided,
        meanwhile=_own_again,
        # many lives, each some blocks long, are lived before the last of them
        stock={"duration_days": 90},
        commits=_CONFIRMING | _SENDING | {"policies.retry_failed"},
        calls=_SENDING,
    ),
    Life(
        name="expiration",
        end=PolicyStatus.EXPIRED,
        prepare=_run_out,
        begin=_sweep,
        meanwhile=_sweep_again,
        stock={"duration_days": 7},
        commits=_CONFIRMING | _SENDING | {"policies.sweep_expirations", "policies.begin_expiration"},
        calls=_SENDING,
    ),
    Life(
        name="expiration in two steps",
        end=PolicyStatus.EXPIRED,
        prepare=_run_out,
        begin=_sweep,
        meanwhile=_sweep_again,
        stock={"duration_days": 7},
        commits=_CONFIRMING | _SENDING | {"policies.sweep_expirations", "policies.begin_expiration"},
        calls=_SENDING,
        environment={"REGISTRY_EXPIRATION_PATH": "two_step"},
    ),
)
"""Every canvas is in one of them. A life that is asked for is asked for again with the same key."""
