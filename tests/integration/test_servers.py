"""The embedded servers: private, on loopback, under nobody when we are root, and gone without a trace."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from workers.embedded import account, binaries
from workers.embedded.account import Account, server_account, server_place
from workers.embedded.binaries import POSTGRES, VALKEY, BrokenBinary, NoBinary, Wheel, server_binary
from workers.embedded.ports import LASTING, HeldPorts
from workers.embedded.servers import Durability
from workers.embedded.supervisor import Supervisor
from workers.local import postgres_server, valkey_server

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="servers run as ourselves when we are not root")


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username or ''}:{password}@{parts.hostname}:{parts.port}").geturl()


def password_of(url: str) -> str:
    return urlsplit(url).password or ""


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def listeners(port: int) -> set[str]:
    """The addresses on which someone listens on this port, as /proc writes them."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found


def pids() -> set[int]:
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def works_under(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(directory)
    except OSError:
        return False


@contextlib.contextmanager
def sleeper(account: Account | None) -> Iterator[int]:
    """Run a process of an account that has nothing to do with any server."""
    with subprocess.Popen(["/bin/sleep", "600"], user=account.uid if account else None) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_postgres_lets_its_password_in_and_no_other(postgres: str) -> None:
    psycopg2.connect(postgres).close()
    for password in ("", "postgres", password_of(postgres)[:-1]):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(with_password(postgres, password))


def test_valkey_lets_its_password_in_and_no_other(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        assert client.ping()
    for password in ("", "valkey", password_of(valkey)[:-1]):
        with redis.Redis.from_url(with_password(valkey, password)) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_servers_listen_on_loopback_alone(postgres: str, valkey: str) -> None:
    loopback = {"0100007F"}
    assert listeners(port_of(postgres)) == loopback
    assert listeners(port_of(valkey)) == loopback
    assert ".s.PGSQL" not in Path("/proc/net/unix").read_text()


def test_a_message_broker_that_is_full_refuses_and_forgets_nothing(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_passwords_stand_neither_in_argv_nor_in_logs(supervisor: Supervisor, postgres: str, valkey: str) -> None:
    logs = [path.read_bytes() for path in (supervisor.directory / "logs").iterdir()]
    argv = [command_line(pid) for pid in pids()]
    for url in (postgres, valkey):
        assert not any(password_of(url).encode() in text for text in (*logs, *argv))


def test_data_lies_in_directories_of_their_owner_alone(supervisor: Supervisor, postgres: str, valkey: str) -> None:
    assert postgres
    assert valkey
    place = server_place(supervisor.directory, server_account())
    assert not list(place.glob("*.part"))
    for path in (place / "postgres", place / "valkey"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "valkey/valkey.conf").stat().st_mode) == 0o600


@as_root
def test_root_runs_servers_as_nobody(supervisor: Supervisor, postgres: str, valkey: str) -> None:
    assert postgres
    assert valkey
    nobody = server_account()
    assert nobody is not None
    servers = [pid for pid in pids() if works_under(pid, server_place(supervisor.directory, nobody))]
    assert len(servers) > 2
    for pid in servers:
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{nobody.uid}\t{nobody.uid}\t{nobody.uid}\t{nobody.uid}\n" in status
        assert "\nGroups:\t \n" in status


def test_what_is_acknowledged_is_durable_unless_it_is_said_to_be_disposable(open_path: Path, ports: HeldPorts) -> None:
    durable = postgres_server(open_path, ports, Durability.DURABLE).process().argv
    disposable = postgres_server(open_path, ports, Durability.DISPOSABLE).process().argv
    assert "fsync=off" in disposable
    assert not any("fsync" in part or "synchronous" in part for part in durable)


def test_a_new_run_finds_nothing_of_the_last(open_path: Path, ports: HeldPorts) -> None:
    with Supervisor(open_path) as supervisor:
        first = valkey_server(open_path, ports, Durability.DURABLE)
        first.prepare()
        supervisor.start(first.process())
        with redis.Redis.from_url(first.url()) as client:
            client.set("left", "over")
    assert listeners(first.port) == set()
    with Supervisor(open_path) as supervisor:
        second = valkey_server(open_path, ports, Durability.DURABLE)
        second.prepare()
        supervisor.start(second.process())
        with redis.Redis.from_url(second.url()) as client:
            assert client.dbsize() == 0


def test_what_a_valkey_holds_is_there_after_a_restart(open_path: Path, ports: HeldPorts) -> None:
    server = valkey_server(open_path, ports, Durability.DURABLE)
    server.prepare()
    for expected in (None, b"message"):
        with Supervisor(open_path) as supervisor:
            server.configure()
            supervisor.start(server.process())
            with redis.Redis.from_url(server.url()) as client:
                assert client.get("a") == expected
                client.set("a", "message")


def test_a_lock_that_a_killed_postgres_left_is_taken_away_and_a_held_one_is_not(
    open_path: Path, ports: HeldPorts
) -> None:
    server = postgres_server(open_path, ports, Durability.DISPOSABLE)
    lock, was_there = server.data / "postmaster.pid", server.is_there
    with Supervisor(open_path) as supervisor:
        with server.creation() as initdb:
            supervisor.start(initdb)
        supervisor.start(server.process())
        server.unlock()
        held = lock.read_text()
    assert (was_there, server.is_there) == (False, True)
    assert not lock.exists()
    # its number is another process's by now, and that one is the server's account's
    with sleeper(server.account) as stranger:
        lock.write_text(held.replace(held.partition("\n")[0], str(stranger), 1))
        server.unlock()
        with Supervisor(open_path) as supervisor:
            supervisor.start(server.process())
            psycopg2.connect(server.url()).close()


def test_a_port_is_the_same_again_unless_somebody_has_it() -> None:
    with HeldPorts() as ports:
        first = ports.hold_lasting()
        assert first in LASTING
        assert ports.hold_lasting(first) not in {first, 0}
    with HeldPorts() as ports:
        assert ports.hold_lasting(first) == first
    with socket.create_server(("127.0.0.1", first)), HeldPorts() as ports:
        assert ports.hold_lasting(first) in set(LASTING) - {first}


def test_a_held_port_is_given_to_nobody_who_asks_for_a_free_one(ports: HeldPorts) -> None:
    held = ports.hold()
    for _ in range(2000):
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert other.getsockname()[1] != held
    with socket.create_server(("127.0.0.1", held)):
        assert listeners(held) == {"0100007F"}


def test_a_wheel_that_is_missing_is_named() -> None:
    wheel = Wheel(distribution="no-such-wheel", package="no_such_wheel", trees=(), server="no/such/server")
    with pytest.raises(NoBinary, match="the wheel no-such-wheel is not installed; run make setup"):
        server_binary(wheel, None)


def test_a_binary_that_does_not_run_here_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "foreign"
    package.mkdir()
    (package / "server").write_text("#!/bin/sh\necho libz.so.1: cannot open shared object file >&2; exit 127\n")
    (package / "server").chmod(0o755)
    monkeypatch.setattr(binaries, "_site_packages", lambda _wheel: tmp_path)
    wheel = Wheel(distribution="foreign", package="foreign", trees=(), server="foreign/server")
    with pytest.raises(BrokenBinary, match=r"foreign/server does not run here: libz\.so\.1: cannot open"):
        server_binary(wheel, None)


@pytest.fixture
def roots_place(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's place for what others may reach, for one test."""
    monkeypatch.setattr(account, "ROOTS_PLACE", open_path / "roots")
    monkeypatch.setattr(binaries, "ROOTS_PLACE", open_path / "roots")
    return open_path / "roots"


@as_root
def test_a_checkout_that_nobody_can_enter_works(
    tmp_path: Path, roots_place: Path, ports: HeldPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under /root: neither the binaries nor the data may lie where they would."""
    site_packages = tmp_path / "site-packages"
    for wheel in (POSTGRES, VALKEY):
        origin = server_binary(wheel, None).parents[len(Path(wheel.server).parents) - 1]
        for tree in wheel.trees:
            shutil.copytree(origin / tree, site_packages / tree, symlinks=True, copy_function=os.link)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "_site_packages", lambda _wheel: site_packages)
    with Supervisor(tmp_path / "run") as supervisor:
        postgres = postgres_server(supervisor.directory, ports, Durability.DISPOSABLE)
        valkey = valkey_server(supervisor.directory, ports, Durability.DISPOSABLE)
        valkey.prepare()
        with postgres.creation() as initdb:
            supervisor.start(initdb, valkey.process())
        supervisor.start(postgres.process())
        psycopg2.connect(postgres.url()).close()
    for path in (postgres.binary, valkey.binary, postgres.data, valkey.data):
        assert path.is_relative_to(roots_place)
        assert path.owner() in {"root", "nobody"}
    assert (tmp_path / "run/servers").resolve() == postgres.place
    assert server_binary(POSTGRES, server_account()) == postgres.binary
