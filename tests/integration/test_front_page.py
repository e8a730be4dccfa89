"""The page over HTTP: what browsers may do with it, how long they keep it, and what it is told."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import api.page
from registry.store.session import Database, unit_of_work
from tests.integration.doors import CONTRACTS, ask, open_door
from tests.integration.rows import price

SCRIPT = "http://127.0.0.1:3999/devnet/wallet.js"
UNSAFE = ("unsafe-inline", "unsafe-eval", "http:", "https:", "*")


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/4"


@pytest.fixture(scope="module")
def url(module_database: Database, broker: str) -> Iterator[str]:
    """A front door without a wallet of its own."""
    with open_door(module_database, broker) as own:
        yield own


def assets(url: str, page: str) -> list[str]:
    """What a page loads."""
    return re.findall(r'(?:href|src)="(/assets/[^"]+)"', ask(url, "GET", page).text)


@pytest.mark.parametrize("page", ["/", "/v1/docs"])
def test_a_page_runs_nothing_that_is_not_a_file_of_ours(url: str, page: str) -> None:
    answer = ask(url, "GET", page)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert [each for each in UNSAFE if each in policy] == []
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in answer.headers["permissions-policy"]


def test_a_wallet_that_is_configured_may_run_and_be_asked_and_nothing_else_of_others(
    database: Database, broker: str
) -> None:
    with open_door(database, broker, wallet_script_url=SCRIPT) as own:
        policy = ask(own, "GET", "/").headers["content-security-policy"]
        documentation = ask(own, "GET", "/v1/docs").headers["content-security-policy"]
        assert ask(own, "GET", "/page.json").json()["wallet_script"] == SCRIPT
    assert "script-src 'self' http://127.0.0.1:3999;" in policy
    assert "connect-src 'self' http://127.0.0.1:3999;" in policy
    assert policy.count("http") == 2
    assert "http" not in documentation


@pytest.mark.parametrize("page", ["/", "/v1/docs"])
def test_an_asset_is_kept_for_ever_and_a_page_is_asked_for_again(url: str, page: str) -> None:
    answer = ask(url, "GET", page)
    assert answer.headers["cache-control"] == "no-cache"
    again = ask(url, "GET", page, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == answer.headers["content-security-policy"]
    loaded = assets(url, page)
    assert len(loaded) == 2
    for path in loaded:
        asset = ask(url, "GET", path)
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["content-type"] in {"text/javascript; charset=utf-8", "text/css; charset=utf-8"}


def test_an_asset_is_sent_as_small_as_whoever_asks_can_read_it(url: str) -> None:
    for path in assets(url, "/"):
        plain = ask(url, "GET", path, headers={"Accept-Encoding": "identity"})
        small = ask(url, "GET", path, headers={"Accept-Encoding": "br, gzip"}, stream=True)
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert int(small.headers["content-length"]) < len(plain.content) / 2
        assert small.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(small.raw.read(decode_content=False)) == plain.content


@pytest.mark.parametrize("name", ["page.js", "..%2Findex.html", "%2e%2e%2fpage.py", "%00", "a" * 500])
def test_no_other_file_can_be_asked_for(url: str, name: str) -> None:
    answer = ask(url, "GET", f"/assets/{name}")
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_was_not_built_is_said_and_the_api_answers_all_the_same(
    database: Database, broker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(api.page, "STATIC", tmp_path)
    with open_door(database, broker) as own:
        answer = ask(own, "GET", "/")
        assert (answer.status_code, answer.json()["code"]) == (503, "page_not_built")
        assert "make setup" in answer.json()["detail"]
        assert ask(own, "GET", "/assets/page.js").status_code == 404
        assert ask(own, "GET", "/health").ok


def test_the_page_is_told_its_network_contracts_and_the_newest_price(url: str, module_database: Database) -> None:
    told = ask(url, "GET", "/page.json").json()
    assert told == {
        "network": "testnet",
        "chain_id": 2**31,
        "api": "/v1",
        "contracts": {name.removesuffix("_contract"): contract for name, contract in CONTRACTS.items()},
        "wallet_script": None,
        "offers": [
            {"from_percent": 70, "to_percent": 80, "up_to_days": 30},
            {"from_percent": 80, "to_percent": 90, "up_to_days": 60},
            {"from_percent": 90, "to_percent": 100, "up_to_days": 90},
        ],
        "spot_price_feed_units": None,
    }
    with unit_of_work(module_database) as session:
        session.add(price(price=5_000_012_345_678))
    assert ask(url, "GET", "/page.json").json()["spot_price_feed_units"] == "5000012345678"
