"""Resending: a message that was given up goes out once more, as a new message."""

from collections.abc import Mapping
from typing import Any

from kombu.exceptions import OperationalError

from registry.domain.errors import Unavailable
from workers.app import app

_OF_ITS_DRIVE = {"lease", "leases"}
"""What a message knew of who drove its policies; somebody else may by now."""


class MessageNotSent(Unavailable):
    """The broker cannot be reached, so nothing was sent and nothing was noted."""

    code = "message_not_sent"
    sentence = "{task} could not be sent: {reason}"
    remedy = "check REGISTRY_BROKER_URL, and give the order again"


def resend(broker_url: str, *, task: str, arguments: Mapping[str, Any]) -> str:
    """Send a task its arguments again, without the rest of its canvas; answer the new message's id.

    Raises:
        MessageNotSent: the broker cannot be reached.
    """
    given = {name: value for name, value in arguments["kwargs"].items() if name not in _OF_ITS_DRIVE}
    try:
        with app.connection_for_write(broker_url) as connection:
            # nobody waits for a result: without this, where results are kept would be asked first
            sent = app.send_task(
                task, args=arguments["args"], kwargs=given, connection=connection, retry=False, ignore_result=True
            )
    except OperationalError as error:
        raise MessageNotSent(task=task, reason=str(error)) from None
    return str(sent.id)
