"""PostgreSQL: its version, its durability, its clock, our schema and the parameters in force."""

from datetime import UTC, datetime

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from registry.domain.policy import PolicyStatus
from registry.settings import Settings
from registry.store import parameters, policies
from registry.store.migrate import configuration
from registry.store.session import Database, unit_of_work
from workers.commands.checks.check import Checks, held, ok, problem, warning
from workers.runtime import Runtime
from workers.versions import postgres_version, require_supported

NEWEST_TESTED = 18
TOLERATED_SECONDS, MOST_SECONDS = 2.0, 30.0
MOST_COUNTED = 100
_ORDERS = {
    PolicyStatus.FAILED_SETTLEMENT: "registry failures",
    PolicyStatus.FAILED_EXPIRATION: "registry failures",
    PolicyStatus.QUARANTINED: "registry quarantine",
}
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def look(runtime: Runtime) -> Checks:
    """Look at the server, and if it answers at what is in it."""
    yield from server(runtime.settings)
    database = runtime.database
    yield from held("durability", lambda: durability(database))
    yield from held("schema", lambda: schema(database))
    yield from held("database clock", lambda: clock(database))
    yield from held("parameters", lambda: in_force(database))
    yield from held("policies", lambda: attention(database))


def server(settings: Settings) -> Checks:
    """Whether it answers, and as which version."""
    version = postgres_version(settings.database_url.get_secret_value())
    require_supported(version)
    found = f"{version} at {version.address}"
    if version.number[0] > NEWEST_TESTED:
        yield warning("PostgreSQL", found, do=f"nothing is known against it, but we have tested up to {NEWEST_TESTED}")
    else:
        yield ok("PostgreSQL", found)


def durability(database: Database) -> Checks:
    """Whether what was committed is still there after a crash."""
    with database.engine.connect() as connection:
        off = [name for name in _DURABLE if connection.execute(text(f"SHOW {name}")).scalar_one() == "off"]
    if off:
        todo = "turn them on: a crash would lose transactions that were signed and sent"
        yield warning("durability", f"off: {', '.join(off)}", do=todo)
    else:
        yield ok("durability", f"on: {', '.join(_DURABLE)}")


def schema(database: Database) -> Checks:
    """Whether our tables are those that this program was made for."""
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        newest, known = _revisions(connection)
    if found == newest:
        yield ok("schema", f"at {found}, the newest")
    elif found is None:
        yield problem("schema", "there are no tables of ours", do="run `registry migrate`")
    elif found in known:
        yield problem("schema", f"at {found}, the newest is {newest}", do="run `registry migrate`")
    else:
        yield problem("schema", f"at {found}, which this program does not know", do="install the newer program")


def clock(database: Database) -> Checks:
    """How far the server's clock is from ours: leases and the age of prices are measured by both."""
    with database.engine.connect() as connection:
        before = datetime.now(UTC)
        there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = datetime.now(UTC)
    apart = (there - (before + (after - before) / 2)).total_seconds()
    found = f"{apart:+.2f} s from ours"
    if abs(apart) > MOST_SECONDS:
        yield problem("database clock", found, do="set both by NTP: prices would look too old or too new")
    elif abs(apart) > TOLERATED_SECONDS:
        yield warning("database clock", found, do="set both by NTP")
    else:
        yield ok("database clock", found)


def in_force(database: Database) -> Checks:
    """What is sold, and whether anything is switched off."""
    with unit_of_work(database) as session:
        version, current = parameters.current(session)
    off = [name for name, value in current.to_json().items() if value is False]
    found = f"version {version}" + (f", switched off: {', '.join(off)}" if off else "")
    if off:
        switch = f"{off[0]}=true"
        yield warning("parameters", found, do=f"if that is over: registry parameters set {switch} --reason …")
    else:
        yield ok("parameters", found)


def attention(database: Database) -> Checks:
    """Policies that wait for a person."""
    with unit_of_work(database) as session:
        counted = {status: policies.with_status(session, status, limit=MOST_COUNTED) for status in _ORDERS}
    waiting = {status: len(rows) for status, rows in counted.items() if rows}
    for status, count in waiting.items():
        found = f"{count}{' or more' if count == MOST_COUNTED else ''}"
        yield warning(status.value, found, do=f"run `{_ORDERS[status]} list`")
    if not waiting:
        yield ok("policies", "none waits for a person")


def _revisions(connection: Connection) -> tuple[str | None, set[str]]:
    scripts = ScriptDirectory.from_config(configuration(connection))
    return scripts.get_current_head(), {each.revision for each in scripts.walk_revisions()}
