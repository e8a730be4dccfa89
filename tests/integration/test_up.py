"""The `registry up` command: a stack for services to use, until it is interrupted."""

import json
import signal

import requests

from registry.stacks.http_node import HttpNode
from tests.integration.program import STOP_SECONDS, running
from workers.client import RegistryClient

START_SECONDS = 60.0


def test_the_stack_serves_whoever_it_tells_its_addresses_until_it_is_interrupted() -> None:
    with running("up") as up:
        assert up.process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = up.process.stdout.readline()
            assert line, up.end(seconds=STOP_SECONDS)
            text += line
        said = json.loads(text)
        at, environment = said["addresses"], said["environment"]
        at_broker, at_results = environment["REGISTRY_BROKER_URL"], environment["REGISTRY_RESULT_URL"]
        with RegistryClient(at_broker, at_results, answer_seconds=START_SECONDS) as client:
            assert client.get_platform_stats().answer()["policies"] == 0
        node = HttpNode(environment["REGISTRY_STACKS_URL"])
        assert node.contract_exists(environment["REGISTRY_POOL_CONTRACT"])
        node.close()
        page = f"{at['flower']}/workers"
        assert requests.get(page, timeout=10).status_code == 401
        own = (at["flower_user"], at["flower_password"])
        assert requests.get(page, auth=own, timeout=10).status_code == 200
        assert up.members()
        up.process.send_signal(signal.SIGINT)
        status, _, err = up.end(seconds=STOP_SECONDS)
        assert status == 128 + signal.SIGINT
        assert "Traceback" not in err
        assert up.left_behind() == set()
