"""Logs: one JSON object a line from a worker, colours on a terminal, and never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]+@")
_NAMED_SECRETS = ("password", "secret", "token", "authorization", "private_key", "api_key")


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take passwords out of URLs, and out of whatever is named like one."""
    for key, value in line.items():
        if any(name in key.lower() for name in _NAMED_SECRETS):
            line[key] = "***"
        elif isinstance(value, str):
            line[key] = _PASSWORD.sub(r"\1:***@", value)
    return line


def set_up(*, as_json: bool, stream: Any = None) -> None:  # noqa: ANN401 - any text stream
    """Send structlog and the standard library through one chain; what is bound stands on every line."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
