"""The settings and the page that lists them."""

from pathlib import Path

from registry.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_example_lists_every_setting_and_no_other() -> None:
    listed = {
        line.lstrip("#").split("=", 1)[0]
        for line in EXAMPLE.read_text().splitlines()
        if line.lstrip("#").startswith("REGISTRY_")
    }
    assert listed == {f"REGISTRY_{name.upper()}" for name in Settings.model_fields}


def test_the_example_shows_the_defaults() -> None:
    shown = dict(
        line.removeprefix("REGISTRY_").split("=", 1)
        for line in EXAMPLE.read_text().splitlines()
        if line.startswith("REGISTRY_")
    )
    read = Settings(_env_file=EXAMPLE)
    for name, field in Settings.model_fields.items():
        if name.upper() in shown and not field.is_required():
            default = field.get_default(call_default_factory=True)
            assert getattr(read, name) == default, name
