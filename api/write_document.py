"""`python -m api.write_document`: writes the OpenAPI document to docs/openapi.json. It connects to nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from fastapi import FastAPI

from api.app import create_app
from api.caller import Caller, Guard, unauthorized
from api.document import PATH, document, written
from api.door import Door
from api.doorbell import Doorbell
from registry.settings import Settings
from workers.client import RegistryClient
from workers.push_secrets import PushSecrets
from workers.runtime import Runtime

NOWHERE = "127.0.0.1:9"
CONTRACT = "ST000000000000000000002AMW42H"


class _Nobody:
    async def identify(self, token: str) -> Caller:  # noqa: ARG002 - nobody asks a document
        raise unauthorized(detail="nobody is known here")


@contextmanager
def application() -> Iterator[FastAPI]:
    """The application without anything that it stands on."""
    settings = Settings(
        database_url=f"postgresql://{NOWHERE}/none",
        broker_url=f"redis://{NOWHERE}/0",
        stacks_url=f"http://{NOWHERE}",
        registry_contract=f"{CONTRACT}.policy-registry",
        pool_contract=f"{CONTRACT}.liquidity-pool",
        sbtc_contract=f"{CONTRACT}.sbtc-token",
    )
    runtime = Runtime(settings=settings)
    broker_url = settings.broker_url.get_secret_value()
    with closing(runtime.database), Doorbell(broker_url) as bell, RegistryClient(broker_url) as registry:
        yield create_app(
            Door(
                runtime=runtime,
                secrets=PushSecrets(digests={}),
                bell=bell,
                registry=registry,
                guard=Guard(_Nobody()),
            )
        )


def main() -> None:
    """Write it."""
    with application() as app:
        PATH.write_text(written(document(app)))


if __name__ == "__main__":
    main()
