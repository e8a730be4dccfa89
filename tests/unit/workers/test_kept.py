"""What a stack that lasts keeps: read back as it was written, shown to nobody, removed only where it is one's own."""

import socket
import stat
from pathlib import Path

import pytest

from workers.demo.kept import UP, Kept, KeptUnusable, reset_command
from workers.demo.lasting import _keep_ports
from workers.demo.up import reset
from workers.embedded import account
from workers.embedded.ports import HeldPorts
from workers.local import Access


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A directory of one's own."""
    return Kept(directory=tmp_path)


def keep(kept: Kept) -> Access:
    """Keep what a first start makes; its ports are free again."""
    with HeldPorts() as ports:
        access = Access.new(ports.hold_lasting)
    kept.write_access(access)
    return access


def tree(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("data")


def test_what_is_kept_is_read_back_and_is_its_owners_alone(kept: Kept) -> None:
    is_made = kept.is_made
    access, cast = keep(kept), kept.new_cast()
    kept.mark_made()
    assert (is_made, kept.is_made) == (False, True)
    assert (kept.access(), kept.cast()) == (access, cast)
    assert kept.cast().backend.key == cast.backend.key
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in kept.directory.rglob("*") if path.is_file()}
    assert set(files) >= {"access.json", "made", "backend", "deployer", "provider", "quote-signer", "treasury"}
    assert set(files.values()) == {0o600}
    assert stat.S_IMODE((kept.directory / "keys").stat().st_mode) == 0o700


def test_passwords_are_not_shown(kept: Kept) -> None:
    access = keep(kept)
    for password in (access.postgres_password, access.valkey_password, access.flower_password):
        assert password not in repr(access)


def test_a_key_that_is_gone_is_named_and_no_other_takes_its_place(kept: Kept) -> None:
    kept.new_cast()
    (kept.directory / "keys/backend").unlink()
    with pytest.raises(KeptUnusable, match=r"keys/backend is not usable: No such file .*registry reset --directory"):
        kept.cast()
    assert not (kept.directory / "keys/backend").exists()


def test_what_cannot_be_read_is_named_and_not_shown(kept: Kept) -> None:
    cast = kept.new_cast()
    for name, text in (("keys/treasury", f"{cast.treasury.key}ff"), ("access.json", '{"postgres_password": "secret"')):
        (kept.directory / name).write_text(text)
    for read, name in ((kept.cast, "keys/treasury"), (kept.access, "access.json")):
        with pytest.raises(KeptUnusable, match=f"{name} is not usable: ") as refusal:
            read()
        assert cast.treasury.key not in str(refusal.value)
        assert "secret" not in str(refusal.value)


def test_a_reset_is_named_as_it_is_typed() -> None:
    assert reset_command(UP) == "registry reset"
    assert reset_command(Path("/srv/my stack")) == "registry reset --directory '/srv/my stack'"


def test_a_port_that_is_taken_is_told_of_and_another_takes_its_place_for_good(kept: Kept) -> None:
    before, told = keep(kept), list[str]()
    with HeldPorts() as ports:
        assert _keep_ports(kept, ports, tell=told.append) == before
    assert told == []
    with socket.create_server(("127.0.0.1", before.flower_port)), HeldPorts() as ports:
        now = _keep_ports(kept, ports, tell=told.append)
    assert told == [f"port {before.flower_port} is taken: flower listens on {now.flower_port} from now on"]
    assert now.flower_port != before.flower_port
    assert (now.postgres_port, now.devnet_port) == (before.postgres_port, before.devnet_port)
    assert kept.access() == now


def test_a_directory_that_never_held_a_stack_is_left_as_it_is(tmp_path: Path) -> None:
    tree(tmp_path, "postgres/PG_VERSION", "made")
    assert reset(tmp_path) == ()
    assert reset(tmp_path / "nowhere") == ()
    assert (tmp_path / "postgres/PG_VERSION").exists()
    assert not (tmp_path / "nowhere").exists()


def test_data_in_roots_place_goes_too_and_what_another_link_names_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ROOTS_PLACE", tmp_path / "roots")
    tree(
        tmp_path, "roots/own/postgres/PG_VERSION", "else/own/postgres/PG_VERSION", "stack/lock", "stack/logs/devnet.log"
    )
    link = tmp_path / "stack/servers"
    link.symlink_to(tmp_path / "else/own")
    assert reset(tmp_path / "stack") == ()
    link.unlink()
    link.symlink_to(tmp_path / "roots/own")
    assert reset(tmp_path / "stack") == (tmp_path / "roots/own/postgres",)
    assert not (tmp_path / "roots/own/postgres").exists()
    assert (tmp_path / "else/own/postgres/PG_VERSION").exists()
    assert (tmp_path / "stack/logs/devnet.log").exists()
