"""The supervisor, over real processes: whatever happens, it says what and leaves nobody."""

import contextlib
import errno
import json
import os
import secrets
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.embedded import procfs, runfile, supervisor
from workers.embedded.process import Process
from workers.embedded.readiness import LogSays, ReadyCheck
from workers.embedded.runfile import Member, RunFile
from workers.embedded.supervisor import AlreadyRunning, Phase, ProcessDied, StartFailed, Supervisor

PROGRAM = Path(__file__).with_name("supervising.py")
ROOT = Path(__file__).parents[2]
SAYS_READY = LogSays(pattern="ready")


@pytest.fixture
def mark() -> str:
    """A value that every process of one test carries in its environment."""
    return secrets.token_hex(8)


def shell(
    name: str,
    script: str,
    *,
    mark: str,
    ready: ReadyCheck | None = SAYS_READY,
    stop_order: int = 1,
    stop_seconds: float = 3.0,
    ready_seconds: float = 10.0,
) -> Process:
    return Process(
        name=name,
        argv=("/bin/sh", "-c", script),
        environment={"PATH": os.environ["PATH"], "TEST_MARK": mark},
        ready=ready,
        ready_seconds=ready_seconds,
        stop_order=stop_order,
        stop_seconds=stop_seconds,
    )


def supervise(directory: Path, *processes: Process) -> None:
    with Supervisor(directory) as supervisor:
        for process in processes:
            supervisor.start(process)


def marked(mark: str) -> set[int]:
    """Who carries the mark, by this test's own look at /proc."""
    found = set()
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdecimal() and f"TEST_MARK={mark}".encode() in (path / "environ").read_bytes():
                found.add(int(path.name))
    return found


def working_under(directory: Path) -> set[int]:
    """Who has its working directory there: servers, which overwrite their environment to show their state."""
    found = set()
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdecimal() and (path / "cwd").readlink().is_relative_to(directory):
                found.add(int(path.name))
    return found


def member_pid(directory: Path, name: str) -> int:
    members = json.loads((directory / "run.json").read_text())["members"]
    return next(int(member["pid"]) for member in members if member["name"] == name)


@contextlib.contextmanager
def supervising(directory: Path, mark: str, *what: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program in a session of its own until it is up, and end it if the test has not."""
    with subprocess.Popen(  # noqa: S603 -- a program of ours
        [sys.executable, PROGRAM, directory, mark, *what],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "up\n"
            yield program
        finally:
            program.kill()


@contextlib.contextmanager
def bystander() -> Iterator[procfs.Identity]:
    """Run a process that is none of a supervisor's business."""
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as process:
        try:
            entry = procfs.entry(process.pid)
            assert entry is not None
            yield entry.identity
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_supervisor_leaves_no_process(tmp_path: Path, mark: str, number: signal.Signals) -> None:
    with supervising(tmp_path / "run", mark) as program:
        assert len(marked(mark)) >= 7
        program.send_signal(number)
        assert program.wait(timeout=10) == 128 + number
    assert marked(mark) == set()


def test_more_interrupts_do_not_cut_the_stopping_short(tmp_path: Path, mark: str) -> None:
    with supervising(tmp_path / "run", mark) as program:
        for _ in range(4):
            program.send_signal(signal.SIGINT)
            # Less than its stubborn child is given, so that all arrive while it is stopping.
            time.sleep(0.05)
        assert program.wait(timeout=10) == 128 + signal.SIGINT
    assert marked(mark) == set()


def test_what_a_killed_supervisor_left_is_ended_by_the_next(
    open_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runfile, "GENTLE_SECONDS", 1.0)
    with supervising(open_path, mark, "servers") as program:
        place = Path(f"/proc/{member_pid(open_path, 'postgres')}/cwd").readlink().parent
        program.kill()
        program.wait()
    assert marked(mark)
    assert working_under(place)
    reports: list[tuple[str, Phase]] = []
    with Supervisor(open_path, report=lambda *report: reports.append(report)):
        assert {name for name, phase in reports if phase is Phase.LEFT_OVER} >= {"postgres", "valkey", "plain"}
        assert marked(mark) == set()
        assert working_under(place) == set()


def test_a_number_given_to_another_process_is_not_killed(tmp_path: Path) -> None:
    with bystander() as innocent:
        member = Member(name="gone", pid=innocent.pid, started=innocent.started - 1, stop_signal=signal.SIGTERM)
        left = RunFile(run="old", boot=procfs.boot_id(), members=(member,))
        left.write(tmp_path / "run.json")
        with Supervisor(tmp_path):
            assert procfs.is_alive(innocent)


def test_a_run_file_of_another_boot_names_nobody(tmp_path: Path) -> None:
    with bystander() as innocent:
        member = Member(name="gone", pid=innocent.pid, started=innocent.started, stop_signal=signal.SIGTERM)
        RunFile(run="old", boot="another", members=(member,)).write(tmp_path / "run.json")
        with Supervisor(tmp_path):
            assert procfs.is_alive(innocent)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": 1, "boot": "x", "members": [{"pid": "?"}]}'])
def test_a_torn_run_file_stops_nobody_from_starting(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with Supervisor(tmp_path) as supervisor:
        supervisor.check()


def test_two_at_once_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with Supervisor(tmp_path), pytest.raises(AlreadyRunning, match="another one is running in") as refused:
        Supervisor(tmp_path).__enter__()
    assert str(os.getpid()) in str(refused.value)
    with Supervisor(tmp_path):
        pass


def test_a_start_that_fails_names_the_process_and_stops_the_others(tmp_path: Path, mark: str) -> None:
    good = shell("good", "sleep 600 & echo ready; wait", mark=mark)
    bad = shell("bad", "sleep 600 & echo the disk is full; exit 3", mark=mark)
    with pytest.raises(StartFailed, match="bad did not start: it ended with status 3") as failed:
        supervise(tmp_path, good, bad)
    assert "the disk is full" in str(failed.value)
    assert marked(mark) == set()


def test_a_start_that_takes_too_long_fails(tmp_path: Path, mark: str) -> None:
    slow = shell("slow", "sleep 600", mark=mark, ready_seconds=0.2)
    with pytest.raises(StartFailed, match=r"slow did not start: it was not ready within 0\.2 seconds"):
        supervise(tmp_path, slow)
    assert marked(mark) == set()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = Process(name="missing", argv=("/no/such/program",), environment={}, stop_order=1)
    with Supervisor(tmp_path) as supervisor, pytest.raises(StartFailed, match="/no/such/program: No such file"):
        supervisor.start(missing)


def test_a_death_is_noticed_and_says_whose(tmp_path: Path, mark: str) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(shell("mortal", "sleep 600 & echo ready; wait", mark=mark))
        os.kill(member_pid(tmp_path, "mortal"), signal.SIGKILL)
        with pytest.raises(ProcessDied, match="mortal has died: it was killed by SIGKILL"):
            supervisor.wait(10)
        assert marked(mark) == set()


def test_a_job_is_ready_when_it_is_done_and_is_not_missed(tmp_path: Path, mark: str) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(shell("job", "echo done", mark=mark, ready=None))
        assert (tmp_path / "logs/job.log").read_text() == "done\n"
        supervisor.check()
        with pytest.raises(StartFailed, match="job did not start: it ended with status 1"):
            supervisor.start(shell("job", "exit 1", mark=mark, ready=None))


def test_processes_stop_in_their_order(tmp_path: Path, mark: str) -> None:
    stopped: list[str] = []

    def note(name: str, phase: Phase) -> None:
        if phase in {Phase.STOPPED, Phase.KILLED}:
            stopped.append(name)

    with Supervisor(tmp_path, report=note) as supervisor:
        supervisor.start(
            *(
                shell(name, "echo ready; exec sleep 600", mark=mark, stop_order=order)
                for name, order in (("server", 3), ("clock", 1), ("worker", 2))
            )
        )
    assert stopped == ["clock", "worker", "server"]


def test_those_that_will_not_stop_are_killed_in_time_for_the_others(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor.STOP_SECONDS <= 9
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 1.5)
    phases: dict[str, Phase] = {}
    deaf = "trap '' TERM INT; echo ready; while :; do sleep 600 & wait; done"
    with Supervisor(tmp_path, report=phases.__setitem__) as running:
        running.start(
            shell("deaf-1", deaf, mark=mark, stop_order=1, stop_seconds=60),
            shell("deaf-2", deaf, mark=mark, stop_order=2, stop_seconds=60),
            shell("polite", "echo ready; exec sleep 600", mark=mark, stop_order=3),
        )
        begun = time.monotonic()
    assert time.monotonic() - begun < 2.5
    assert phases == {"deaf-1": Phase.KILLED, "deaf-2": Phase.KILLED, "polite": Phase.STOPPED}
    assert marked(mark) == set()


def test_a_display_that_fails_keeps_nobody_from_stopping(tmp_path: Path, mark: str) -> None:
    def fail(_name: str, _phase: Phase) -> None:
        raise BrokenPipeError

    with Supervisor(tmp_path, report=fail) as running:
        running.start(shell("seen", "echo ready; exec sleep 600", mark=mark))
    assert marked(mark) == set()


def test_a_full_disk_keeps_nobody_from_stopping(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_run: RunFile, _path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Supervisor(tmp_path) as running:
        monkeypatch.setattr(RunFile, "write", fail)
        with pytest.raises(OSError, match="No space left"):
            running.start(shell("last", "sleep 600 & echo ready; wait", mark=mark))
    assert marked(mark) == set()


def test_nothing_secret_is_written_down(tmp_path: Path, mark: str) -> None:
    process = shell("quiet", "echo ready; exec sleep 600", mark=mark)
    with Supervisor(tmp_path) as running:
        running.start(process)
        for path in (tmp_path / "run.json", tmp_path / "logs/quiet.log", tmp_path / "lock"):
            assert path.stat().st_mode & 0o777 == 0o600
            assert mark not in path.read_text()
    assert mark not in repr(process)


def test_whoever_waits_long_is_told_for_whom(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE_SECONDS", 0.2)
    told: list[tuple[str, float]] = []
    gate = tmp_path / "gate"
    gate.touch()

    def patience(name: str, seconds: float) -> None:
        told.append((name, seconds))
        if len(told) == 3:
            gate.unlink()
        raise BrokenPipeError

    with Supervisor(tmp_path / "run", patience=patience) as own:
        slow = f"while [ -e {gate} ]; do sleep 0.05; done; echo ready; wait"
        own.start(
            shell("quick", "echo ready; exec sleep 600", mark=mark), shell("slow", slow + "; sleep 600", mark=mark)
        )
    assert [name for name, _ in told] == ["slow"] * len(told)
    seconds = [waited for _, waited in told]
    assert seconds == sorted(seconds)


def test_a_process_that_ends_at_once_is_told_of_with_its_status(tmp_path: Path, mark: str) -> None:
    with pytest.raises(StartFailed) as failure, Supervisor(tmp_path / "run") as own:
        own.start(shell("ends", "exit 3", mark=mark))
    assert failure.value.figures["status"] == 3


def test_directories_that_are_made_on_the_way_are_nobody_elses(tmp_path: Path) -> None:
    directory = tmp_path / "one/two/run"
    with Supervisor(directory):
        modes = {stat.S_IMODE(place.stat().st_mode) for place in (directory, *list(directory.parents)[:2])}
    assert modes == {0o711 if os.geteuid() == 0 else 0o700}
    assert stat.S_IMODE((directory / "logs").stat().st_mode) == 0o700
