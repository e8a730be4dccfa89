"""The settings and the page that lists them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

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


def test_several_nodes_are_a_list_in_order_of_preference() -> None:
    read = Settings(_env_file=EXAMPLE, stacks_url=" https://one.example/ , http://127.0.0.1:3999,")
    assert read.stacks_urls == ("https://one.example/", "http://127.0.0.1:3999")


@pytest.mark.parametrize(
    "named", ["", " , ", "127.0.0.1:3999", "http://a.example,ftp://b.example", "http://a,http://a"]
)
def test_what_is_no_list_of_nodes_is_refused_without_being_shown(named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=EXAMPLE, stacks_url=named)
    assert "it is not a list of different http:// or https:// addresses" in str(refused.value)


def test_what_counts_as_final_is_never_less_deep_than_what_counts_as_confirmed() -> None:
    assert Settings(_env_file=EXAMPLE, confirmed_depth=3, final_depth=3).depths.final == 3
    with pytest.raises(ValidationError, match="it is under confirmed_depth"):
        Settings(_env_file=EXAMPLE, confirmed_depth=3, final_depth=2)
