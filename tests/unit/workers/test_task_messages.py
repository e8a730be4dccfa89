"""What a task's message and its result tell to whoever watches: every policy that it is about."""

from uuid import uuid4

import pytest
from celery.utils.saferepr import saferepr

IDS = [str(uuid4()) for _ in range(200)]
"""As many as one batch may hold."""


@pytest.mark.parametrize("part", ["argsrepr", "kwargsrepr"])
def test_the_largest_batch_is_told_to_the_last_id(part: str) -> None:
    from workers.app import app  # noqa: PLC0415 - it reads the settings

    message = app.amqp.create_task_message(str(uuid4()), "policies.begin_expiration", [IDS], {"policy_ids": IDS})
    assert all(policy_id in message.headers[part] for policy_id in IDS)


def test_the_largest_batchs_result_is_told_to_the_last_id() -> None:
    from workers.app import app  # noqa: PLC0415 - as above

    app.loader.import_default_modules()
    told = saferepr(IDS, app.tasks["policies.begin_expiration"].resultrepr_maxsize)
    assert all(policy_id in told for policy_id in IDS)
