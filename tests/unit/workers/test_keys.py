"""Keys are files that only their owner can read."""

from pathlib import Path

import pytest

from workers.runtime import UnusableKey, read_key

KEY = "e831289e12523e1e5dd7195ba957d9d6f8744b9792e55e65c5da7434ee6c41ab01"


def _file(place: Path, content: str, mode: int) -> Path:
    path = place / "key"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_a_compressed_key_in_a_private_file_is_read(tmp_path: Path) -> None:
    key = read_key(_file(tmp_path, KEY + "\n", 0o600))
    assert KEY[:64] not in repr(key)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (KEY, 0o640, "others can read"),
        (KEY, 0o604, "others can read"),
        (KEY[:64], 0o600, "66 hex digits"),
        ("", 0o600, "66 hex digits"),
    ],
)
def test_a_key_that_others_can_read_or_that_is_not_compressed_is_refused(
    tmp_path: Path, content: str, mode: int, reason: str
) -> None:
    with pytest.raises(UnusableKey, match=reason):
        read_key(_file(tmp_path, content, mode))


def test_a_missing_file_is_a_sentence_and_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(UnusableKey, match="No such file"):
        read_key(tmp_path / "nowhere")
    with pytest.raises(UnusableKey, match="none is named"):
        read_key(None)
