"""`registry contracts` on a chain whose blocks come by the clock, from nothing to a pool that stands."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.domain.units import Principal
from registry.stacks.http_node import HttpNode
from registry.stacks.signing import PrivateKey
from registry.stacks.wire import TESTNET, SmartContract
from tests.integration.chain import CLARITY, ROOT, Chain, new_hex
from tests.integration.commandline import documented, name_database, run, told
from workers.commands.frame import BAD_USE, FAILED
from workers.embedded.account import private_file
from workers.embedded.node import find_node

BLOCK_MS = "100"
NO_DATABASE = "postgresql://registry:hidden@127.0.0.1:1/registry"


@pytest.fixture(scope="module")
def ticking() -> Iterator[str]:
    """A devnet whose Bitcoin makes ten blocks a second."""
    node = find_node()
    assert node is not None, "run make setup"
    options = ("--port", "0", "--exit-with-parent", "--block-ms", BLOCK_MS, "--burn-block-ms", BLOCK_MS)
    argv = [*node.node, str(ROOT / "devnet" / "main.mjs"), *options]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the devnet ended with {process.wait(timeout=10)}"
        yield f"http://127.0.0.1:{json.loads(line)['listening']}"
        process.terminate()
        process.wait(timeout=10)


@dataclass
class Operator:
    """Somebody with a key file for each duty, and an environment that names contracts of the admin's."""

    url: str
    place: Path
    environment: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.keys = {name: new_hex() for name in ("admin", "backend", "quote", "treasury")}
        self.files = {name: str(private_file(self.place / f"{name}.key", key)) for name, key in self.keys.items()}
        name_database(self.environment, NO_DATABASE)
        self.environment.setenv("REGISTRY_STACKS_URL", self.url)
        for variable, name in (("REGISTRY", "policy-registry"), ("POOL", "liquidity-pool"), ("SBTC", "sbtc-token")):
            self.environment.setenv(f"REGISTRY_{variable}_CONTRACT", f"{self.address('admin')}.{name}")
        self.environment.setenv("REGISTRY_BACKEND_KEY_FILE", self.files["backend"])
        self.environment.setenv("REGISTRY_QUOTE_KEY_FILE", self.files["quote"])

    def address(self, name: str) -> str:
        return PrivateKey.from_hex(self.keys[name]).address(TESTNET)

    def fund(self, micro_stx: int = 10**8) -> None:
        body = {"recipient": self.address("admin"), "amount": str(micro_stx)}
        answer = requests.post(f"{self.url}/devnet/mint", json=body, timeout=10)
        assert answer.ok, answer.text

    def deploy(self, *more: str) -> tuple[int, str, str]:
        arguments = ("--admin-key-file", self.files["admin"], "--yes", "--json")
        return run("contracts", "deploy", *arguments, *more)

    def deployed(self, *more: str) -> Any:
        status, out, err = self.deploy(*more)
        assert status == 0, err
        value = json.loads(out)
        assert set(value) == documented("contracts", "deploy")
        return value

    def says_no_key(self, *texts: str) -> bool:
        return not any(key[:64] in text for key in self.keys.values() for text in texts)


@pytest.fixture
def operator(ticking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    own = Operator(ticking, tmp_path, monkeypatch)
    own.fund()
    return own


def test_a_deployment_stands_whole_and_a_second_one_finds_nothing_to_do(operator: Operator) -> None:
    before = told("contracts", "show")
    assert [each["deployed"] for each in before["contracts"]] == [False, False, False]
    status, out, err = operator.deploy("--with-test-sbtc", "--treasury", operator.files["treasury"])
    assert status == 0, err
    assert operator.says_no_key(out, err)
    first = json.loads(out)
    assert set(first) == documented("contracts", "deploy")
    assert [each["what"].split()[0] for each in first["done"]] == ["deploy"] * 4 + ["name"] * 3
    duties = {"backend": "backend", "quote_signer": "quote", "treasury": "treasury"}
    assert {duty: first[duty] for duty in duties} == {duty: operator.address(name) for duty, name in duties.items()}
    after = told("contracts", "show")
    assert [(each["deployed"], each["is_ours"]) for each in after["contracts"]] == [(True, True)] * 3
    assert {name: after[name] for name in ("admin", *duties)} == {name: first[name] for name in ("admin", *duties)}
    assert after["pool"]["STX"]["assets_base_units"] == 0
    nonce = HttpNode(operator.url).account(Principal(operator.address("admin"))).nonce
    second = operator.deployed("--with-test-sbtc")
    assert second == {**first, "done": [], "fees_micro_stx": 0}
    assert HttpNode(operator.url).account(Principal(operator.address("admin"))).nonce == nonce
    text = run("contracts", "show")[1]
    assert operator.address("backend") in text
    assert "\x1b" not in text


def test_a_deployment_that_was_cut_short_goes_on_from_where_it_stands(operator: Operator) -> None:
    status, out, err = operator.deploy("--with-test-sbtc", "--treasury", operator.files["treasury"], "--minutes", "0")
    assert (status, out) == (FAILED, "")
    assert "run the same command again" in err
    went_on = operator.deployed("--with-test-sbtc", "--treasury", operator.files["treasury"])
    assert len(went_on["done"]) == 6
    assert went_on["done"][0]["what"] == "deploy sbtc-token"


def test_the_pool_is_deployed_with_the_sbtc_of_the_network(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Chain(url=operator.url, node=HttpNode(operator.url))
    issuer.order("mint", recipient=issuer.deployer.address(TESTNET), amount=str(10**8))
    for name in ("sip-010-trait", "sbtc-token"):
        code = (ROOT / "contracts" / f"{name}.clar").read_text()
        issuer.send(issuer.deployer, SmartContract(name=name, code=code, clarity_version=CLARITY), fee=10**6)
    issuer.mine()
    monkeypatch.setenv("REGISTRY_SBTC_CONTRACT", issuer.contracts.sbtc)
    first = operator.deployed("--treasury", operator.address("treasury"))
    assert [each["what"] for each in first["done"]][:2] == ["deploy policy-registry", "deploy liquidity-pool"]
    shown = {each["contract"]: each["is_ours"] for each in told("contracts", "show")["contracts"]}
    assert shown == {first["registry"]: True, first["pool"]: True, issuer.contracts.sbtc: None}


def test_other_code_at_our_ids_is_an_error_that_nothing_is_sent_for(operator: Operator) -> None:
    chain = Chain(url=operator.url, node=HttpNode(operator.url), deployer=PrivateKey.from_hex(operator.keys["admin"]))
    foreign = SmartContract(name="policy-registry", code="(define-public (f) (ok true))", clarity_version=CLARITY)
    chain.send(chain.deployer, foreign, fee=10**5)
    chain.mine()
    status, out, err = operator.deploy("--with-test-sbtc", "--treasury", operator.files["treasury"])
    assert (status, out) == (FAILED, "")
    assert f"{operator.address('admin')}.policy-registry has another source than ours" in err
    assert chain.node.account(Principal(operator.address("admin"))).nonce == 1
    shown = {each["contract"]: each["is_ours"] for each in told("contracts", "show")["contracts"]}
    assert shown[f"{operator.address('admin')}.policy-registry"] is False


def test_what_cannot_do_is_refused_before_anything_is_sent(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    treasury = ("--treasury", operator.address("treasury"))
    attempts: list[tuple[tuple[str, ...], int, str]] = [
        (("--with-test-sbtc",), FAILED, "the treasury would be the admin itself"),
        (("--with-test-sbtc", *treasury, "--backend", operator.files["quote"]), FAILED, "would be one key"),
        (("--with-test-sbtc", *treasury, "--max-fees", "0"), FAILED, "0 STX are allowed"),
        (("--with-test-sbtc", "--treasury", "nobody"), BAD_USE, "neither an address nor a key file"),
        (("--with-test-sbtc", "--treasury", "SP000000000000000000002Q6VF78"), BAD_USE, "of another network"),
        (treasury, BAD_USE, "--with-test-sbtc"),
        (("--with-test-sbtc", *treasury, "--admin-key-file", operator.files["quote"]), FAILED, "this key deploys as"),
        (("--with-test-sbtc", *treasury, "--admin-key-file", "/nowhere"), FAILED, "No such file"),
    ]
    for arguments, expected, reason in attempts:
        status, out, err = operator.deploy(*arguments)
        assert (status, out) == (expected, ""), (arguments, err)
        assert reason in err
        assert operator.says_no_key(err)
    monkeypatch.setenv("REGISTRY_SBTC_CONTRACT", "ST000000000000000000002AMW42H.sbtc-token")
    assert "there is no sBTC at" in operator.deploy(*treasury)[2]
    assert HttpNode(operator.url).account(Principal(operator.address("admin"))).nonce == 0


def test_nothing_is_sent_without_a_word_and_a_key_that_others_can_read_is_refused(operator: Operator) -> None:
    arguments = ("--with-test-sbtc", "--treasury", operator.files["treasury"])
    status, out, err = run("contracts", "deploy", "--admin-key-file", operator.files["admin"], *arguments)
    assert (status, out) == (BAD_USE, "")
    assert "--yes" in err
    Path(operator.files["admin"]).chmod(0o640)
    status, out, err = operator.deploy(*arguments)
    assert (status, "others can read it" in err) == (FAILED, True)
    assert HttpNode(operator.url).account(Principal(operator.address("admin"))).nonce == 0
