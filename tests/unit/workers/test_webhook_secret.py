"""The file that endpoints' secrets are made of: whole, and nobody else's to read."""

from pathlib import Path

import pytest

from workers.webhook_secret import UnusableWebhookSecret, read_webhook_secret

LINE = "0123456789abcdef" * 4


def kept(place: Path, text: str, *, mode: int = 0o600) -> Path:
    path = place / "webhook.secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_line_of_64_hex_digits_is_read(tmp_path: Path) -> None:
    assert read_webhook_secret(kept(tmp_path, f"{LINE}\n")) == bytes.fromhex(LINE)


def test_where_none_is_named_there_is_none() -> None:
    assert read_webhook_secret(None) is None


@pytest.mark.parametrize("text", ["", LINE[:-1], f"{LINE}0", LINE.upper(), f"{LINE}\n{LINE}\n", "é" * 32])
def test_anything_else_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnusableWebhookSecret) as refused:
        read_webhook_secret(kept(tmp_path, text))
    assert LINE[:16] not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UnusableWebhookSecret, match="others can read it"):
        read_webhook_secret(kept(tmp_path, LINE, mode=mode))


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableWebhookSecret, match="No such file"):
        read_webhook_secret(tmp_path / "nowhere")
