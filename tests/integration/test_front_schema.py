"""The OpenAPI document against the front door as it is: schemathesis asks all that it allows, and what it forbids."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.caller import Caller
from registry.domain.access import Scope
from registry.domain.units import Principal
from registry.services import api_keys
from tests.integration.acting import MANY, Acting, door_on
from tests.integration.chain import ROOT
from tests.integration.doors import Known
from tests.integration.signing_in import new_front_secret
from tests.integration.stack import Holder
from workers.embedded.account import private_file

OF_SERVICES = ["webhooks", "api-keys", "pool"]
OF_OWNERS = ["policies", "actions", "sign-in", "stats", "streams", "front door"]
LIKE_LISTS = ["exports"]
"""They take what lists take, and are asked less of it."""
EVERYTHING = [*OF_SERVICES, *OF_OWNERS, *LIKE_LISTS]
OWNER, SERVICE = "owner-token", "service-token"
PHASES = "examples,coverage,fuzzing"
LONGEST_SECONDS = 400
# NUL is refused everywhere, by what stands before the routes;
# a stream has no end, and may be silent for 15 s: one event of it, or less than a second, is enough
CONFIG = """\
seed = 7
request-timeout = 30.0
max-stream-events = 1
continue-on-failure = true
warnings = false

[[operations]]
include-tag = "streams"
request-timeout = 0.7

[[operations]]
include-tag = {others}
phases.coverage.enabled = false

[generation]
deterministic = true
database = "none"
max-examples = {examples}
allow-x00 = false

[checks.positive_data_acceptance]
expected-statuses = {expected}

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[dictionaries.policy]
values = {policies}

[parameters]
"path.policy" = {{ dictionary = "policy", probability = 0.7 }}
"path.endpoint" = {{ dictionary = "endpoint", probability = 0.7 }}

[dictionaries.endpoint]
values = {endpoints}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A front door with something of everything in it, and what that is called."""

    url: str
    policies: list[str]
    endpoints: list[str]


@pytest.fixture
def seeded(holder: Holder, tmp_path: Path) -> Iterator[Seeded]:
    made = api_keys.create(
        holder.stack.database, "everything", scopes=frozenset(Scope), expires_at=None, now=datetime.now(UTC)
    )
    callers = {
        OWNER: Caller(name=holder.address, principal=Principal(holder.address)),
        SERVICE: Caller(name="prk_everything", key_id=UUID(made["api_key"]["id"]), scopes=frozenset(Scope)),
    }
    settings = {
        "api_sign_in_per_minute": MANY,
        "front_secret_file": new_front_secret(tmp_path / "front"),
        "webhook_secret_file": private_file(tmp_path / "webhook", secrets.token_hex(32)),
        "webhook_private_addresses": True,
    }
    with door_on(holder.stack, known=Known(callers=callers), **settings) as url:
        acting = Acting(url=url, own=holder, token=OWNER)
        active, quoted = acting.buy(), acting.create().json()["policy"]["id"]
        hook = {"url": "http://127.0.0.1:9/hook", "kinds": ["policy.active"]}
        service = Acting(url=url, own=holder, token=SERVICE)
        endpoint = service.post("/v1/webhooks", hook)
        yield Seeded(url=url, policies=[active, quoted], endpoints=[endpoint.json()["endpoint"]["id"]])


ASKERS: dict[str | None, list[str]] = {
    OWNER: [*OF_SERVICES, *LIKE_LISTS],
    SERVICE: [*OF_OWNERS, *LIKE_LISTS],
    None: EVERYTHING,
}
"""By what they bear, whoever asks, and what each is asked less of."""


def test_the_front_door_does_what_its_document_says(seeded: Seeded, tmp_path: Path) -> None:
    with ExitStack() as held:
        # at once, for each waits most of its time
        asking = {token: held.enter_context(_asking(seeded, token, tmp_path)) for token in ASKERS}
        ended = {token: each.wait(timeout=LONGEST_SECONDS) for token, each in asking.items()}
    for token, status in ended.items():
        assert status == 0, _said(tmp_path, token).read_text()[-20_000:]


@contextmanager
def _asking(seeded: Seeded, token: str | None, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have schemathesis ask everything as somebody, in a process of its own."""
    config = place / f"{token}.toml"
    config.write_text(_config(seeded, others=ASKERS[token]))
    argv = [str(ROOT / ".venv" / "bin" / "schemathesis"), "--config-file", str(config), "run"]
    argv += [f"{seeded.url}/v1/openapi.json", "--checks", "all", "--phases", PHASES, "--no-color"]
    if token is not None:
        argv += ["--header", f"Authorization: Bearer {token}"]
    with (
        _said(place, token).open("wb") as out,
        subprocess.Popen(  # noqa: S603 - our own environment's program
            argv, cwd=place, stdout=out, stderr=subprocess.STDOUT
        ) as asking,
    ):
        try:
            yield asking
        finally:
            asking.kill()


def _said(place: Path, token: str | None) -> Path:
    return place / f"{token}.said"


def _config(seeded: Seeded, *, others: list[str]) -> str:
    told: dict[str, Any] = {
        "examples": 4,
        "expected": json.dumps(["2xx", "401", "403", "404", "409", "422"]),
        "others": json.dumps(others),
        "policies": json.dumps(seeded.policies),
        "endpoints": json.dumps(seeded.endpoints),
    }
    return CONFIG.format(**told)
