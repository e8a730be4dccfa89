"""What a command takes from the environment: the settings, and the database and the rest that they name."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from registry.domain.errors import DatabaseUnavailable, Unavailable
from workers.commands.frame import BadSettings
from workers.commands.progress import Progress

if TYPE_CHECKING:
    from datetime import datetime

    from registry.settings import Settings
    from registry.store.session import Database
    from workers.runtime import Runtime


class DatabaseUnusable(Unavailable):
    """PostgreSQL does not answer, or not with our tables."""

    code = "database_unusable"
    sentence = "the database is not usable: {reason}"
    remedy = "check REGISTRY_DATABASE_URL, and run `registry migrate` if it is new"


def read_settings() -> "Settings":
    """Read the environment; what is wrong with it becomes a sentence that shows no value."""
    from pydantic import ValidationError  # noqa: PLC0415 - a command imports what it needs when it runs

    from registry.settings import Settings  # noqa: PLC0415 - as above

    try:
        return Settings()
    except ValidationError as error:
        reasons = [f"{variable}: {reason}" for variable, reason in wrong_settings(error.errors())]
        raise BadSettings(reasons="; ".join(reasons)) from None


def wrong_settings(errors: Sequence[Any]) -> list[tuple[str, str]]:
    """Name each variable that pydantic complains of, and why, without its value."""
    return [(f"REGISTRY_{str(each['loc'][0]).upper()}", str(each["msg"]).lower()) for each in errors]


@contextmanager
def open_database(*, doing: str = "the database is asked") -> Iterator["Database"]:
    """Open the database that the environment names; what PostgreSQL says against it becomes a sentence.

    `doing` is said on stderr if it takes long.
    """
    from registry.store.session import Database  # noqa: PLC0415 - as above

    database = Database(read_settings().database_url.get_secret_value())
    with Progress() as progress, _database_sentences():
        progress.phase(doing)
        try:
            yield database
        finally:
            database.close()


def now_of(database: "Database") -> "datetime":
    """What time it is for all processes."""
    from registry.store.clock import DatabaseClock  # noqa: PLC0415 - as above

    return DatabaseClock(database).now()


@contextmanager
def open_runtime(*, progress: Progress | None = None) -> Iterator["Runtime"]:
    """Open what a worker has, by this environment; nothing is connected before it is used.

    `progress` is the command's own; without it the database is all that can take long.
    """
    from workers.runtime import Runtime  # noqa: PLC0415 - as above

    held = Runtime(settings=read_settings())
    with ExitStack() as waiting, _database_sentences():
        if progress is None:
            waiting.enter_context(Progress()).phase("the database is asked")
        try:
            yield held
        finally:
            held.database.close()
            held.node.close()


@contextmanager
def _database_sentences() -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

    try:
        yield
    except DatabaseUnavailable as error:
        raise DatabaseUnusable(reason=error.figures["reason"]) from None
    except DBAPIError as error:
        raise DatabaseUnusable(reason=str(error.orig).strip().partition("\n")[0]) from None
