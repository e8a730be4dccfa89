"""The health checks of our processes: `python -m workers.health worker signing`, `… progress …`, `… beat`, `… http …`.

Each ends with 0 if the process on this machine does its work, else with 1 and a sentence.
"""

import socket
import time
import urllib.request
from typing import Annotated, Any

import typer
from celery import Celery
from kombu.exceptions import OperationalError

from registry.domain.errors import RegistryError
from registry.settings import Settings
from workers.client import RegistryClient
from workers.heartbeat import sign

ANSWER_SECONDS = 3.0
SILENT_SECONDS = 60.0

app = typer.Typer(help="Whether a process of ours does its work.", no_args_is_help=True, add_completion=False)


@app.command()
def worker(queue: str) -> None:
    """Ask the worker of this queue, through the broker, what it takes messages from."""
    node = f"{queue}@{socket.gethostname()}"
    try:
        answers = _served(node)
    except (OSError, OperationalError) as error:
        raise _unwell(f"the broker does not answer: {type(error).__name__}") from None
    names = [served["name"] for answer in answers for served in answer.get(node, ())]
    if not names:
        raise _unwell(f"{node} does not answer")
    if queue not in names:
        raise _unwell(f"{node} does not take messages from {queue}, but from {', '.join(names)}")


@app.command()
def progress(
    queue: str,
    within: Annotated[float, typer.Option(help="Seconds; more than the queue's work ever takes.")] = SILENT_SECONDS,
) -> None:
    """Have a question answered by way of this queue: broker, worker, database and results all do their work.

    A worker that is up and takes nothing, or whose children hang, answers `worker` and not this. Where several serve
    the queue, one of them that does is enough.
    """
    settings = Settings()
    at_broker = settings.broker_url.get_secret_value()
    at_results = (settings.result_url or settings.broker_url).get_secret_value()
    try:
        with RegistryClient(at_broker, at_results, answer_seconds=within) as client:
            client.send("policies.get_by_id", {"policy_id": 1}, queue=queue).answer()
    except RegistryError as error:
        raise _unwell(f"{queue} makes no progress: {error}") from None


@app.command()
def beat(
    within: Annotated[float, typer.Option(help="Seconds; more than the shortest interval.")] = SILENT_SECONDS,
) -> None:
    """See that the broker has taken a message from beat not long ago."""
    try:
        silent = time.time() - sign().stat().st_mtime
    except FileNotFoundError:
        raise _unwell("beat has not sent anything yet") from None
    if silent > within:
        raise _unwell(f"beat has sent nothing for {silent:.0f} s")


@app.command()
def http(url: str) -> None:
    """Get a page of our own machine; a proxy is never asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise _unwell(f"{url} does not answer well: {error}") from None


def _served(node: str) -> list[dict[str, Any]]:
    """Ask one worker for its queues and leave with the first answer."""
    # Not workers.app: a check that runs every half minute loads no task.
    client = Celery(broker=Settings().broker_url.get_secret_value())
    client.conf.broker_transport_options = {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": 2 * ANSWER_SECONDS,
        "max_retries": 1,
    }
    with client:
        answers: list[dict[str, Any]] | None = client.control.broadcast(
            "active_queues", destination=[node], reply=True, timeout=ANSWER_SECONDS, limit=1
        )
    return answers or []


def _unwell(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(1)


if __name__ == "__main__":
    app()
