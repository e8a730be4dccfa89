"""The front door's secret: read strictly, shown to nobody, and what is made of it where one signs in."""

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path

import pytest

from registry.settings import Settings
from registry.stacks.network import MAINNET, TESTNET
from workers.embedded.account import private_file
from workers.front_secret import Purpose, UnusableFrontSecret, entrance, read_front_secret

OLD, NEW = "0a" * 32, "f1" * 32


def test_none_named_is_none_and_nobody_signs_in(settings: Settings) -> None:
    assert read_front_secret(None) is None
    assert entrance(settings) is None


def test_keys_of_each_purpose_are_made_of_each_line_the_newest_first(tmp_path: Path) -> None:
    secret = read_front_secret(private_file(tmp_path / "secret", f"{NEW}\n\n{OLD}\n"))
    assert secret is not None
    made = [hmac.new(bytes.fromhex(line), b"policy-registry/session", hashlib.sha256).digest() for line in (NEW, OLD)]
    assert list(secret.keys(Purpose.SESSION).keys) == made
    assert secret.keys(Purpose.CHALLENGE).newest not in made
    assert NEW not in repr(secret)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds none"),
        (f"{OLD}\n{OLD}\n", "one of them twice"),
        (f"{OLD[:-1]}\n", "secret 1 is not"),
        (f"{OLD}\n{NEW.upper()}\n", "secret 2 is not"),
        (f" {OLD}\n", "secret 1 is not"),
        (f"{OLD}é\n", "it is not ASCII"),
    ],
)
def test_a_file_that_is_not_lines_of_64_digits_is_refused_and_not_shown(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnusableFrontSecret, match=reason) as refused:
        read_front_secret(private_file(tmp_path / "secret", text))
    assert OLD not in str(refused.value)


def test_a_file_that_others_can_read_or_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = private_file(tmp_path / "secret", f"{OLD}\n")
    path.chmod(0o640)
    with pytest.raises(UnusableFrontSecret, match="others can read it"):
        read_front_secret(path)
    with pytest.raises(UnusableFrontSecret, match="No such file"):
        read_front_secret(path.with_name("gone"))


def test_where_one_signs_in_is_the_host_of_the_front_door_on_its_network(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("REGISTRY_FRONT_SECRET_FILE", str(private_file(tmp_path / "secret", f"{OLD}\n")))
    at_home = entrance(Settings())
    assert at_home is not None
    assert (at_home.site.domain, at_home.site.url) == ("127.0.0.1:8180", "http://127.0.0.1:8180")
    assert (at_home.network, at_home.site.chain_id) == (TESTNET, 2**31)
    environment.setenv("REGISTRY_API_URL", "https://Registry.example/")
    environment.setenv("REGISTRY_NETWORK", "mainnet")
    environment.setenv("REGISTRY_SESSION_MINUTES", "5")
    away = entrance(Settings())
    assert away is not None
    assert (away.site.domain, away.site.url) == ("registry.example", "https://Registry.example")
    assert (away.network, away.site.network, away.site.chain_id) == (MAINNET, "mainnet", 1)
    assert (away.token_life, away.session_life) == (timedelta(minutes=5), timedelta(hours=12))
