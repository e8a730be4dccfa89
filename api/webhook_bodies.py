"""What callers send about webhooks, read strictly."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from registry.domain.errors import BadRequest
from registry.domain.webhook import Kind
from registry.outside.addresses import LONGEST
from registry.store.front_tables import WebhookState

URL = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="`https`, a public address, port 443 or 8443; no user name, no fragment.",
        examples=["https://partner.example.com/hooks/policies"],
    ),
]
KINDS = Annotated[
    list[Kind],
    Field(min_length=1, max_length=len(Kind), examples=[["policy.active", "policy.settled", "policy.expiring_soon"]]),
]
DESCRIPTION = Annotated[str, Field(max_length=200, description="For people.", examples=["alerts"])]
_STRICT = ConfigDict(extra="forbid")


class NewWebhook(BaseModel):
    """An endpoint to make."""

    model_config = _STRICT

    url: URL
    kinds: KINDS
    description: DESCRIPTION = ""


class WebhookChanges(BaseModel):
    """What is to be changed of an endpoint; what is left out stays."""

    model_config = _STRICT

    url: URL | None = None
    kinds: KINDS | None = None
    description: DESCRIPTION | None = None
    enabled: Annotated[bool | None, Field(strict=True)] = None


class WebhookSpan(BaseModel):
    """Messages from one instant to before another."""

    model_config = _STRICT

    first: Annotated[AwareDatetime, Field(alias="from")]
    last: Annotated[AwareDatetime, Field(alias="to")]

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """Both in UTC, for the database knows fewer zones than ISO 8601."""
        first, last = _utc("from", self.first), _utc("to", self.last)
        if first >= last:
            raise BadRequest(field="to", reason="it is not after from")
        return first, last


def _utc(field: str, moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise BadRequest(field=field, reason="it lies outside the years 1 to 9999") from None


class Asked(BaseModel):
    """Which page of deliveries."""

    model_config = _STRICT

    state: WebhookState = WebhookState.DEAD
    after: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,17}\.[0-9a-f]{32}$", description="`next` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
