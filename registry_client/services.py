"""What services' keys are for: keys themselves, and webhooks."""

from collections.abc import Iterator, Sequence
from typing import Any, TypedDict, Unpack, cast

from registry_client.access_answers import ApiKey, NewApiKey
from registry_client.pages import Noun
from registry_client.transport import at
from registry_client.webhook_answers import (
    NewWebhookEndpoint,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookKind,
    WebhookResent,
)


class EndpointChanges(TypedDict, total=False):
    """What is to be changed of an endpoint."""

    url: str
    kinds: list[str]
    description: str
    enabled: bool


class Services(Noun):
    """Keys are an operator's; webhooks belong to the key that makes them."""

    def create_api_key(self, name: str, scopes: Sequence[str], *, days: int | None = None) -> NewApiKey:
        """Make a key; its secret is told this once."""
        body = {"name": name, "scopes": list(scopes), **({} if days is None else {"days": days})}
        return cast("NewApiKey", self._transport.change("POST", "/v1/api-keys", body=body))

    def each_api_key(self) -> Iterator[ApiKey]:
        """Go through all keys, newest first."""
        yield from self._each("/v1/api-keys")

    def revoke_api_key(self, prefix: str) -> ApiKey:
        """Take a key back."""
        return cast("ApiKey", self._transport.change("DELETE", at("api-keys", prefix)))

    def create_webhook(self, url: str, kinds: Sequence[str], *, description: str = "") -> NewWebhookEndpoint:
        """Make an endpoint; its secret is told this once."""
        body = {"url": url, "kinds": list(kinds), "description": description}
        return cast("NewWebhookEndpoint", self._transport.change("POST", "/v1/webhooks", body=body))

    def each_webhook(self) -> Iterator[WebhookEndpoint]:
        """Go through this key's endpoints."""
        yield from self._each_of_few("/v1/webhooks")

    def each_webhook_kind(self) -> Iterator[WebhookKind]:
        """Go through the kinds of messages."""
        yield from self._each_of_few("/v1/webhooks/kinds")

    def get_webhook(self, endpoint: str) -> WebhookEndpoint:
        """Ask for one endpoint."""
        return cast("WebhookEndpoint", self._transport.get(at("webhooks", endpoint)))

    def update_webhook(self, endpoint: str, **changes: Unpack[EndpointChanges]) -> WebhookEndpoint:
        """Change an endpoint; what is not named stays."""
        return cast("WebhookEndpoint", self._transport.change("PATCH", at("webhooks", endpoint), body=changes))

    def delete_webhook(self, endpoint: str) -> None:
        """Remove an endpoint."""
        self._transport.change("DELETE", at("webhooks", endpoint))

    def rotate_webhook_secret(self, endpoint: str) -> NewWebhookEndpoint:
        """Have a new secret; the old one signs beside it for a day."""
        return cast("NewWebhookEndpoint", self._transport.change("POST", at("webhooks", endpoint, "rotate")))

    def test_webhook(self, endpoint: str) -> WebhookDelivery:
        """Have a test message sent."""
        return cast("WebhookDelivery", self._transport.change("POST", at("webhooks", endpoint, "test")))

    def each_delivery(self, endpoint: str, *, state: str | None = None) -> Iterator[WebhookDelivery]:
        """Go through deliveries to an endpoint, newest first."""
        yield from self._each(at("webhooks", endpoint, "deliveries"), state=state)

    def resend_delivery(self, endpoint: str, delivery: str) -> WebhookDelivery:
        """Have a delivery made again."""
        path = at("webhooks", endpoint, "deliveries", delivery, "resend")
        return cast("WebhookDelivery", self._transport.change("POST", path))

    def resend_deliveries(self, endpoint: str, *, since: str, to: str) -> WebhookResent:
        """Have the messages of a time sent again."""
        body = {"from": since, "to": to}
        return cast("WebhookResent", self._transport.change("POST", at("webhooks", endpoint, "resend"), body=body))

    def _each_of_few(self, path: str) -> Iterator[Any]:
        yield from self._transport.get(path)["items"]
