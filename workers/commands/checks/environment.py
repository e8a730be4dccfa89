"""The environment: every variable that we know, those that we do not, and the key files that it names."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from registry.domain.errors import BadRequest
from registry.settings import Settings
from registry.stacks.network import MAINNET, TESTNET
from workers.commands.checks.check import Check, Checks, held, ok, problem, trouble, warning
from workers.commands.environment import wrong_settings
from workers.deployment.order import read_key_file
from workers.rules import broken_rules, slow_settings
from workers.runtime import Runtime, UnusableKey

PREFIX = "REGISTRY_"


def read(environment: Mapping[str, str]) -> tuple[Settings | None, list[Check]]:
    """Read the settings; those that are not usable are a problem each, and the rest cannot be looked at."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = {name for name in environment if name.upper().startswith(PREFIX)}
    strange = [
        warning(name, "it is no setting of ours", do="correct its name; .env.example lists all of them")
        for name in sorted(named)
        if name.upper() not in known
    ]
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = [
            problem(name, reason, do="set it; .env.example says to what")
            for name, reason in wrong_settings(error.errors())
        ]
        return None, [*wrong, *strange]
    counted = f"{len(named) - len(strange)} of {len(known)} variables are set, the others have their defaults"
    return settings, [ok("settings", counted), *strange]


def look(runtime: Runtime) -> Checks:
    """Look at what the settings name, as far as that needs nobody else."""
    yield from held("contract ids", lambda: contracts(runtime))
    yield from held("key files", lambda: keys(runtime.settings))
    yield from held("start-up rules", rules)


def contracts(runtime: Runtime) -> Checks:
    """The contracts' ids, by their form and network alone."""
    try:
        ours = runtime.contracts
    except BadRequest as error:
        name = f"{PREFIX}{str(error.figures['field']).upper()}_CONTRACT"
        yield problem(name, str(error.figures["reason"]), do=f"set {name} to a contract on {runtime.settings.network}")
    else:
        yield ok("contract ids", f"of {ours.network_name}")


def keys(settings: Settings) -> Checks:
    """The key files of this environment. Only that of the worker of `signing` names them, and then both."""
    files = {
        f"{PREFIX}BACKEND_KEY_FILE": settings.backend_key_file,
        f"{PREFIX}QUOTE_KEY_FILE": settings.quote_key_file,
    }
    named = {name: path for name, path in files.items() if path is not None}
    for name, path in named.items():
        yield _key(name, path, settings)
    if not named:
        yield ok("key files", "none is named here: keys are not compared with the chain")
    elif len(named) < len(files):
        (missing,) = set(files) - set(named)
        yield warning(
            missing, "it is not set, and the other key is", do="name both to the worker of `signing`, else none"
        )


def rules() -> Checks:
    """What every process refuses to start with."""
    from workers.app import app  # noqa: PLC0415 - it reads the settings as it is imported

    broken = broken_rules(app.conf)
    for sentence in broken:
        yield problem("start-up rules", sentence, do="correct the REGISTRY_… variable; .env.example has the defaults")
    slow = slow_settings(Settings())
    for sentence in slow:
        yield warning("start-up rules", sentence, do="nothing while venues are quick; .env.example has the defaults")
    if not broken and not slow:
        limits = f"time limit {app.conf.task_time_limit} s, visibility timeout {app.conf.visibility_timeout} s"
        yield ok("start-up rules", f"all hold; {limits}")


def _key(name: str, path: Path, settings: Settings) -> Check:
    try:
        key = read_key_file(path)
    except UnusableKey as error:
        return trouble(name, error)
    return ok(name, f"the key of {key.address(MAINNET if settings.network == 'mainnet' else TESTNET)}")
