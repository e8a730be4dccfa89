"""The file of push secrets: read strictly, shown to nobody, compared in constant time."""

import hmac
from pathlib import Path

import pytest

import workers.push_secrets
from registry.domain.push import PushSource
from workers.embedded.account import private_file
from workers.push_secrets import UnusableSecrets, read_push_secrets

OLD, NEW, HOOK = ("o" * 32, "n" * 32, "h" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two secrets of the node, one of them on its way out, and one of the hook."""
    return private_file(tmp_path / "secrets", f"node {OLD}\nnode {NEW}\n\nchainhook {HOOK}\n")


def test_each_source_has_its_own_and_may_have_two_while_one_is_exchanged(path: Path) -> None:
    secrets = read_push_secrets(path)
    assert all(secrets.allow(PushSource.NODE, given.encode()) for given in (OLD, NEW))
    assert secrets.allow(PushSource.CHAINHOOK, b"", HOOK.encode())
    assert not secrets.allow(PushSource.NODE, HOOK.encode())
    assert not secrets.allow(PushSource.CHAINHOOK, b"", b"h" * 31, b"\xff")
    assert not secrets.allow(PushSource.CHAINHOOK)


def test_every_secret_is_compared_in_constant_time_whichever_is_the_right_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    secrets = read_push_secrets(path)
    monkeypatch.setattr(workers.push_secrets, "compare_digest", compare)
    for given in (OLD.encode(), NEW.encode(), b"", b"x" * 1000):
        compared.clear()
        secrets.allow(PushSource.NODE, given)
        # digests of one length, so that not even a length is told
        assert compared == [(32, 32)] * 2


def test_a_secret_is_shown_nowhere(path: Path) -> None:
    shown = repr(read_push_secrets(path))
    assert not any(secret in shown for secret in (OLD, NEW, HOOK))
    path.write_text(f"node {OLD} and more\n")
    with pytest.raises(UnusableSecrets, match="line 1 ") as refused:
        read_push_secrets(path)
    assert OLD not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds no secret"),
        ("node short\n", "line 1 is not a source and its secret"),
        (f"node {OLD}\nanybody {NEW}\n", "line 2 is not"),
        (f"node  {OLD}\n", "line 1 is not"),
        (f"node {OLD}é\n", "it is not ASCII"),
    ],
)
def test_a_file_that_is_not_lines_of_sources_and_secrets_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnusableSecrets, match=reason):
        read_push_secrets(private_file(tmp_path / "secrets", text))


def test_a_file_that_others_can_read_is_refused_and_so_is_none(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(UnusableSecrets, match="others can read it"):
        read_push_secrets(path)
    with pytest.raises(UnusableSecrets, match="No such file"):
        read_push_secrets(path.with_name("gone"))
    with pytest.raises(UnusableSecrets, match="REGISTRY_PUSH_SECRET_FILE names none"):
        read_push_secrets(None)
