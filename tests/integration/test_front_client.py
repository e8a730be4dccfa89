"""The client over HTTP against the running stack: a policy's whole life, and a front door that goes and comes back."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.domain.access import Scope
from registry.services import api_keys
from registry.stacks import messages
from registry_client.answers import PolicyRequest
from registry_client.errors import ApiRefused, NotSignedIn
from registry_client.http import PolicyRegistry
from registry_client.transport import Patience
from tests.integration.pushing import new_secrets
from tests.integration.signing_in import new_front_secret
from tests.integration.stack import Holder
from tests.integration.test_front_killed import Fragile
from workers.embedded.ports import HeldPorts

REQUEST: PolicyRequest = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": 45_000 * 10**8,
    "protected_amount_sats": 1_000_000,
    "duration_days": 30,
    "premium_token": "STX",
}
PATIENCE = Patience(trying_seconds=60, longest_pause_seconds=0.5)


@pytest.fixture
def front(holder: Holder, tmp_path: Path) -> Iterator[Fragile]:
    """A front door in a process of its own, that knows who signs in."""
    secrets, _ = new_secrets(tmp_path / "push")
    with HeldPorts() as ports:
        environment = {
            **holder.stack.environment,
            "REGISTRY_PUSH_SECRET_FILE": str(secrets),
            "REGISTRY_FRONT_SECRET_FILE": str(new_front_secret(tmp_path / "front")),
            "REGISTRY_API_ANONYMOUS_PER_MINUTE": "100000",
            "REGISTRY_API_REQUESTS_PER_MINUTE": "100000",
        }
        port = ports.hold()
        own = Fragile(port=port, environment=environment, log=tmp_path / "log")
        yield own


@contextmanager
def signed_in(front: Fragile, holder: Holder) -> Iterator[PolicyRegistry]:
    with PolicyRegistry(front.url, patience=PATIENCE) as registry:
        registry.sign_in(holder.address, lambda text: messages.sign(text, holder.wallet).hex())
        yield registry


def test_a_policy_is_priced_bought_watched_and_paid_by_methods(front: Fragile, holder: Holder) -> None:
    chain = holder.stack.chain
    with front.life(), signed_in(front, holder) as registry:
        assert registry.who_am_i()["principal"] == holder.address
        preview, asked = registry.preview(REQUEST), registry.create_policy(REQUEST, idempotency_key="one")
        assert asked["quote"]["max_payout_base_units"] == preview["max_payout_base_units"]
        policy = asked["policy"]["id"]
        stream = registry.stream_policies(policy=policy)
        assert next(stream).name == "ready"
        tx_id = chain.buy(holder.wallet, asked["wallet_payload"])
        reported = registry.report_purchase(policy, tx_id)
        assert reported["policy"]["id"] == policy
        holder.stack.wait_for(policy, "Active")
        assert next(stream).data["to"] == "Active"
        chain.price("40000")
        activation = registry.activate_policy(policy, min_payout_base_units=1)["activation"]
        assert activation["settlement_amount_base_units"] == 25_000_000
        holder.stack.wait_for(policy, "Settled")
        assert [next(stream).data["to"] for _ in range(2)] == ["Settling", "Settled"]
        stream.close()
        shown = registry.get_policy(policy)
        assert (shown["status_detailed"], shown["settlement_amount_base_units"]) == ("Settled", 25_000_000)
        assert [each["id"] for each in registry.each_policy(status=["Settled"], limit=1)] == [policy]
        assert [each["id"] for each in registry.look_up_policies(tx_id=tx_id)["items"]] == [policy]
        assert [each["id"] for each in registry.export_policies()] == [policy]
        assert policy in b"".join(registry.export_csv()).decode()
        edges = [each["to_status"] for each in registry.get_timeline(policy)["timeline"] if each["edge"] is not None]
        assert edges[-3:] == ["Active", "Settling", "Settled"]
        assert registry.get_stats()["by_status"]["Settled"] >= 1


def test_refusals_are_errors_with_code_and_figures(front: Fragile, holder: Holder) -> None:
    with front.life(), signed_in(front, holder) as registry:
        with pytest.raises(ApiRefused) as refused:
            registry.create_policy({**REQUEST, "protected_value_price_feed_units": 10**8})
        assert (refused.value.status, refused.value.code) == (422, "outside_tiers")
        assert refused.value.figures["strike"] == str(10**8)
        assert refused.value.request_id is not None
        quoted = registry.create_policy(REQUEST)["policy"]["id"]
        assert registry.cancel_quote(quoted)["purchasable_until_height"] is not None
        with pytest.raises(ApiRefused, match="policy_not_active"):
            registry.activate_policy(quoted)
        with pytest.raises(ApiRefused, match="forbidden"):
            registry.get_pool()
        registry.rotate_session()
        registry.sign_out_everywhere()
        with pytest.raises(NotSignedIn):
            registry.who_am_i()


def test_a_service_asks_with_its_key(front: Fragile, holder: Holder) -> None:
    made = api_keys.create(
        holder.stack.database, "portfolio", scopes=frozenset(Scope), expires_at=None, now=datetime.now(UTC)
    )
    active = holder.buy()
    with front.life(), PolicyRegistry(front.url, key=made["key"], patience=PATIENCE) as registry:
        assert active in [each["id"] for each in registry.each_active_by_tier("Balanced", page_size=2)]
        ends = registry.get_policy(active)["expiration_height"]
        assert active in [each["id"] for each in registry.each_expiring(min_height=ends, max_height=ends)]
        assert registry.get_pool()["tokens"]["STX"]["assets_base_units"] > 0
        second = registry.create_api_key("another", ["read"], days=1)
        assert second["api_key"]["prefix"] in [each["prefix"] for each in registry.each_api_key()]
        assert registry.revoke_api_key(second["api_key"]["prefix"])["revoked_at"] is not None
        assert "policy.active" in [each["kind"] for each in registry.each_webhook_kind()]
        assert all(each["stats"]["policies"] >= 0 for each in registry.each_hour())


def test_actions_and_streams_outlive_the_front_door(front: Fragile, holder: Holder) -> None:
    with ThreadPoolExecutor(1) as pool:
        with front.life() as process, signed_in(front, holder) as registry:
            token = registry.rotate_session()["token"]
            stream = registry.stream_policies()
            assert next(stream).name == "ready"
            process.send_signal(signal.SIGKILL)
            process.wait()
            # nobody is there: the action is asked again and again, the stream waits
            asked = pool.submit(_create, front.url, token)
            policy = holder.buy()
        with front.life():
            told = [next(stream).data for _ in range(1)]
            assert (told[0]["policy_id"], told[0]["to"]) in {(policy, "PendingCreation"), (policy, "Active")}
            created = asked.result(timeout=60)
            assert created != policy
            stream.close()


def _create(url: str, token: str) -> str:
    with PolicyRegistry(url, token=token, patience=PATIENCE) as registry:
        return registry.create_policy(REQUEST)["policy"]["id"]
