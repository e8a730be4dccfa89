"""What a holder has done: each under a key of its own, sent again under the same one, followed to its end."""

import time
from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

import requests

from registry_client.answers import Activation, Creation, PolicyRequest, Preview, Reported, Submission
from registry_client.errors import ApiError, ApiRefused, ApiUnavailable
from registry_client.pages import Noun
from registry_client.transport import at, read

ACCEPTED, FIRST_ERROR = 202, 400
LOOK_SECONDS = 1.0
DONE = "done"


class Actions(Noun):
    """Actions of a holder. A key that is not given is made; keep one's own to ask again after a crash."""

    def preview(self, request: PolicyRequest) -> Preview:
        """See what a policy would cost now; nothing is kept, and nobody need sign in."""
        answer = self._transport.repeated("POST", "/v1/quotes/preview", body=request)
        return cast("Preview", read(answer.content))

    def create_policy(self, request: PolicyRequest, *, idempotency_key: str | None = None) -> Creation:
        """Ask for a policy: its quote, and what the wallet signs."""
        return cast("Creation", self._act("/v1/policies", request, key=idempotency_key))

    def report_purchase(self, policy: str | int, tx_id: str, *, idempotency_key: str | None = None) -> Reported:
        """Tell which transaction the wallet sent."""
        path = at("policies", policy, "purchase")
        return cast("Reported", self._act(path, {"tx_id": tx_id}, key=idempotency_key))

    def cancel_quote(self, policy: str | int, *, idempotency_key: str | None = None) -> Reported:
        """Say that a quote will not be bought."""
        return cast("Reported", self._act(at("policies", policy, "cancellation"), None, key=idempotency_key))

    def activate_policy(
        self, policy: str | int, *, min_payout_base_units: int | None = None, idempotency_key: str | None = None
    ) -> Activation:
        """Ask for the payout, refused if it would be less than `min_payout_base_units`."""
        body = {} if min_payout_base_units is None else {"min_payout_base_units": min_payout_base_units}
        return cast("Activation", self._act(at("policies", policy, "activation"), body, key=idempotency_key))

    def get_submission(self, submission: str) -> Submission:
        """How stands what was asked."""
        return cast("Submission", self._transport.get(at("submissions", submission)))

    def _act(self, path: str, body: object, *, key: str | None) -> Any:  # noqa: ANN401 - JSON
        """Have it done once, whatever is lost on the way.

        Raises:
            ApiRefused: it will not be done.
            ApiUnavailable: no answer came in time; its `idempotency_key` is what to ask again with.
        """
        key = str(uuid4()) if key is None else key
        end = time.monotonic() + self._transport.patience.trying_seconds
        try:
            answer = self._transport.repeated("POST", path, body=body, headers={"Idempotency-Key": key})
            if answer.status_code != ACCEPTED:
                return read(answer.content)
            return self._followed(answer, end=end)
        except ApiUnavailable as error:
            error.idempotency_key = key
            raise

    def _followed(self, answer: requests.Response, *, end: float) -> Any:  # noqa: ANN401 - JSON
        """Look at what was asked until it is over."""
        own = cast("Submission", read(answer.content))
        while own["state"] != DONE:
            if time.monotonic() >= end:
                raise ApiUnavailable("it is not over yet", code="still_running", figures={"submission": own["id"]})
            time.sleep(LOOK_SECONDS)
            own = self.get_submission(own["id"])
        if own["status"] is not None and own["status"] >= FIRST_ERROR:
            raise _refusal(own["answer"], status=own["status"])
        return own["answer"]


def _refusal(told: Mapping[str, Any], *, status: int) -> ApiError:
    return ApiRefused(told["detail"], code=told["code"], status=status, figures=told.get("figures"))
