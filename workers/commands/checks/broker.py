"""The broker and where results are kept: version, eviction, persistence."""

from collections.abc import Mapping
from contextlib import closing

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from registry.settings import Settings
from workers.commands.checks.check import Checks, held, ok, problem, warning
from workers.versions import broker_version, require_supported

ANSWER_SECONDS = 5.0
_NO_EVICTION = "noeviction"


def look(settings: Settings) -> Checks:
    """Look at both; they may be one."""
    yield from held("broker", lambda: server(settings))
    yield from held("results", lambda: results(settings))


def server(settings: Settings) -> Checks:
    """The broker: whether it answers, as which version, and whether it may drop what it holds."""
    url = settings.broker_url.get_secret_value()
    version = broker_version(url)
    require_supported(version)
    yield ok("broker", f"{version} at {version.address}")
    with closing(Redis.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)) as client:
        yield from _keeping(client)


def results(settings: Settings) -> Checks:
    """Where results are kept."""
    if settings.result_url is None:
        yield ok("results", "kept in the broker")
        return
    version = broker_version(settings.result_url.get_secret_value(), setting="REGISTRY_RESULT_URL")
    require_supported(version)
    yield ok("results", f"{version} at {version.address}")


def _keeping(client: Redis) -> Checks:
    try:
        told = {**client.config_get("maxmemory-policy"), **client.config_get("appendonly"), **client.config_get("save")}
    except (NoPermissionError, ResponseError):
        todo = f"see to it that maxmemory-policy is {_NO_EVICTION} and that it writes to disk"
        yield warning("broker memory", "its configuration cannot be read", do=todo)
        return
    yield from judge({_text(name): _text(value) for name, value in told.items()})


def judge(told: Mapping[str, str]) -> Checks:
    """Judge what the server keeps when memory is short, and when it is started again."""
    policy = told.get("maxmemory-policy", "")
    if policy == _NO_EVICTION:
        yield ok("broker memory", f"maxmemory-policy {policy}")
    else:
        todo = f"CONFIG SET maxmemory-policy {_NO_EVICTION}, and in its file: it would drop queues when memory is short"
        yield problem("broker memory", f"maxmemory-policy {policy}", do=todo)
    if told.get("appendonly") == "yes":
        yield ok("broker persistence", "appendonly yes")
    elif told.get("save"):
        todo = "set appendonly yes: what came after the last snapshot is enqueued again only after a while"
        yield warning("broker persistence", f"snapshots alone, save {told['save']}", do=todo)
    else:
        todo = "set appendonly yes: after a restart all waiting messages are enqueued again only after a while"
        yield warning("broker persistence", "nothing is written to disk", do=todo)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
