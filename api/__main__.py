"""`python -m api`: the front door as a process. It holds no key, only the files of its own secrets."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from api.app import create_app
from api.caller import Guard
from api.door import DATABASE_SECONDS, Door
from api.doorbell import Doorbell
from api.identities import Identities
from api.server import server
from registry import fault_points
from registry.domain.errors import RegistryError
from registry.settings import Settings
from workers import logs
from workers.client import RegistryClient
from workers.front_secret import entrance
from workers.push_secrets import read_push_secrets
from workers.rules import misplaced_fault, misplaced_keys, require
from workers.runtime import Runtime

FAILED = 1


def main(
    host: Annotated[str, typer.Option(help="The interface to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="REGISTRY_API_PORT unless told.")] = None,
) -> None:
    """Take what nodes and hooks push, until SIGTERM."""
    # wallets sign in to the port that is listened on
    settings = Settings() if port is None else Settings(api_port=port)
    logs.set_up(as_json=not sys.stderr.isatty() if settings.log_json is None else settings.log_json)
    try:
        require(misplaced_keys(settings, ()) + misplaced_fault(settings))
        secrets = read_push_secrets(settings.push_secret_file)
        sign_in = entrance(settings)
    except RegistryError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from None
    if settings.fault_point is not None and settings.fault_directory is not None:
        fault_points.end_at(settings.fault_point, directory=settings.fault_directory)
    runtime = Runtime(settings=settings, statement_seconds=DATABASE_SECONDS)
    guard = Guard(Identities(runtime, sign_in))
    broker_url = settings.broker_url.get_secret_value()
    result_url = (settings.result_url or settings.broker_url).get_secret_value()
    with closing(runtime.database), Doorbell(broker_url) as bell, RegistryClient(broker_url, result_url) as registry:
        door = Door(runtime=runtime, secrets=secrets, bell=bell, registry=registry, guard=guard, entrance=sign_in)
        server(create_app(door), host=host, port=settings.api_port, streams=door.streams).run()


if __name__ == "__main__":
    typer.run(main)
