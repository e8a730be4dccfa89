"""The registry over HTTP, for programs in Python: every operation of docs/openapi.json as a method.

    with PolicyRegistry("https://registry.example.com") as registry:
        registry.sign_in(address, wallet.sign)
        asked = registry.create_policy(request)
        tx_id = wallet.call_contract(asked["wallet_payload"])
        registry.report_purchase(asked["policy"]["id"], tx_id)
        for event in registry.stream_policies():
            print(event.name, event.data)

Amounts and ids are integers. A refusal is raised as `ApiRefused`, what may do later as `ApiUnavailable`.
"""

from types import TracebackType
from typing import Self

from registry_client.actions import Actions
from registry_client.questions import Questions
from registry_client.services import Services
from registry_client.sign_in import Bearing, SignIn
from registry_client.streams import Streams
from registry_client.transport import Patience, Transport


class PolicyRegistry(SignIn, Questions, Actions, Streams, Services):
    """A caller of a front door; a thread has its own. Reads and actions are tried again, an action under its key."""

    def __init__(
        self, url: str, *, token: str | None = None, key: str | None = None, patience: Patience | None = None
    ) -> None:
        """Connect to nothing yet. A holder has a session's token, or signs in; a service has a key."""
        self._bearing = Bearing(key if token is None else token)
        self._transport = Transport(url, bearer=self._bearing, patience=patience or Patience())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection."""
        self._transport.close()
