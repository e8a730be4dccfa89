"""What a log line shows, and what it never does."""

import io
import json
import logging

import pytest
import structlog

from workers import logs
from workers.logs import redact


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("url", "redis://:s3cret@127.0.0.1:1/0", "redis://:***@127.0.0.1:1/0"),
        ("event", "Connected to postgresql://me:s3cret@host/db", "Connected to postgresql://me:***@host/db"),
        ("password", "s3cret", "***"),
        ("pyth_api_key", "s3cret", "***"),
        ("event", "nothing to hide", "nothing to hide"),
        ("policy_id", 7, 7),
    ],
)
def test_a_secret_never_reaches_a_line(key: str, value: object, shown: object) -> None:
    assert redact(None, "info", {key: value}) == {key: shown}


def test_one_json_object_a_line_with_what_is_bound_also_from_the_standard_library() -> None:
    stream, before = io.StringIO(), logging.getLogger().handlers
    try:
        logs.set_up(as_json=True, stream=stream)
        with structlog.contextvars.bound_contextvars(policy_id="p", task_id="t"):
            structlog.get_logger().info("policy.moved", edge="b")
            logging.getLogger("celery").warning("Connected to %s", "redis://:s3cret@h/0")
    finally:
        logging.getLogger().handlers = before
        structlog.reset_defaults()
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["edge"], ours["policy_id"], ours["task_id"], ours["level"]) == (
        "policy.moved",
        "b",
        "p",
        "t",
        "info",
    )
    assert theirs["event"] == "Connected to redis://:***@h/0"
    assert theirs["policy_id"] == "p"


def test_what_a_task_is_about_is_bound_however_it_was_passed() -> None:
    from workers.app import app  # noqa: PLC0415 - it reads the settings that the environment fixture makes

    bound: dict[str, object] = {}

    def about(policy_id: str, *, quote: str) -> None:
        assert policy_id != quote
        bound.update(structlog.contextvars.get_contextvars())

    task = app.task(about, name="tests.bound")
    app.tasks.unregister("tests.bound")
    task("p", quote="q")
    assert {"policy_id": "p", "quote": "q", "task": "tests.bound"}.items() <= bound.items()
    assert structlog.contextvars.get_contextvars() == {}
