"""From a commit to what 1 000 open streams hear of it, over a front door in a process of its own.

Every stream is a service's, so that each commit is told to all of them. A round is some commits, one after another;
what is printed is the median of the rounds' percentiles and the least and greatest of them. Commits are timed from
their return, events from the moment at which this very process reads them, which is one process for all clients.
"""

import os
import resource
import secrets
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from benchmarks.parts.servers import Servers, servers
from registry.domain.access import Scope
from registry.domain.policy import Edge, PolicyStatus
from registry.services import api_keys
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow
from workers.embedded.account import private_file
from workers.embedded.readiness import HttpAnswers
from workers.local import inherited

STREAMS = int(os.environ.get("STREAMS", "1000"))
ROUNDS, COMMITS = 11, 20
REST_SECONDS = 0.1
IDLE_SECONDS = 20.0
WAIT_SECONDS = 20.0
FILES = 4_096
AIM_MS = 250.0
PERCENTILES = (50, 95, 99)
OWNER = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM"
CONTRACT = "ST000000000000000000002AMW42H"


@dataclass(kw_only=True)
class Crowd:
    """Streams that are read as soon as something comes, and when each event came."""

    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    came: list[float] = field(default_factory=list)

    def open(self, port: int, key: str, streams: int) -> None:
        """Open so many, each until its first event has come."""
        head = f"GET /v1/streams/policies HTTP/1.1\r\nHost: any\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        for _ in range(streams):
            own = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
            own.sendall(head)
            heard = b""
            while b"event: ready" not in heard:
                part = own.recv(65_536)
                if not part or b" 200 OK" not in (heard := heard + part):
                    sys.exit(f"a stream was not opened: {heard!r}")
            own.settimeout(0)
            self.selector.register(own, selectors.EVENT_READ)

    def hear(self, count: int) -> list[float]:
        """Read until so many events have come; when each of them did."""
        end = time.perf_counter() + WAIT_SECONDS
        while len(self.came) < count:
            for key, _ in self.selector.select(timeout=1.0):
                part = key.fileobj.recv(262_144)  # type: ignore[union-attr] # they are sockets
                if not part:
                    sys.exit("a stream ended")
                self.came += [time.perf_counter()] * part.count(b"event: policy\n")
            if time.perf_counter() > end:
                sys.exit(f"{len(self.came)} of {count} events came within {WAIT_SECONDS:g} s")
        came, self.came = self.came, []
        return came

    def close(self) -> None:
        """Close all."""
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr] # as above
        self.selector.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A front door, the database behind it, and a key that it knows."""

    database: Database
    port: int
    pid: int
    key: str

    def rss_mib(self) -> float:
        """What the process holds in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def open_door() -> Iterator[Door]:
    """Start servers and a front door, and make a key."""
    with servers() as own:
        made = api_keys.create(own.database, "bench", scopes={Scope.EVENTS}, expires_at=None, now=datetime.now(UTC))
        port = own.ports.hold()
        with process(settings(own, port=port), port=port, log=own.directory / "api.log") as pid:
            yield Door(database=own.database, port=port, pid=pid, key=made["key"])


def settings(own: Servers, *, port: int) -> dict[str, str]:
    """What the front door is told."""
    lines = "".join(f"{source} {secrets.token_urlsafe(24)}\n" for source in ("node", "chainhook"))
    told = {
        "DATABASE_URL": own.database_url,
        "BROKER_URL": own.broker_url,
        "STACKS_URL": "http://127.0.0.1:9",
        "REGISTRY_CONTRACT": f"{CONTRACT}.policy-registry",
        "POOL_CONTRACT": f"{CONTRACT}.liquidity-pool",
        "SBTC_CONTRACT": f"{CONTRACT}.sbtc-token",
        "PUSH_SECRET_FILE": str(private_file(own.directory / "push-secrets", lines)),
        "API_PORT": str(port),
        "API_STREAMS": str(STREAMS),
        "API_STREAMS_PER_CALLER": str(STREAMS),
        "API_REQUESTS_PER_MINUTE": str(10**6),
        "API_ANONYMOUS_PER_MINUTE": str(10**6),
    }
    return {f"REGISTRY_{name}": value for name, value in told.items()}


@contextmanager
def process(told: dict[str, str], *, port: int, log: Path) -> Iterator[int]:
    """Run a front door until the end; its number."""
    answers, end = HttpAnswers(url=f"http://127.0.0.1:{port}/health"), time.monotonic() + WAIT_SECONDS
    environment = {**inherited(), **told}
    with log.open("wb") as said, subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=said) as own:
        try:
            while not answers(log):
                if own.poll() is not None or time.monotonic() > end:
                    sys.exit(f"the front door did not start: {log.read_text()}")
                time.sleep(REST_SECONDS)
            yield own.pid
        finally:
            own.terminate()


def commit(database: Database, policy_id: UUID) -> float:
    """Have a policy walk an edge; when the commit was over."""
    event = PolicyEventRow(
        policy_id=policy_id,
        edge=Edge.PURCHASE_CONFIRMED,
        from_status=PolicyStatus.PENDING_CREATION,
        to_status=PolicyStatus.ACTIVE,
        cause="purchase confirmed",
        actor="chain",
    )
    with unit_of_work(database) as session:
        session.add(event)
    return time.perf_counter()


def measure(door: Door, crowd: Crowd, policy_id: UUID) -> list[float]:
    """One round: the milliseconds of each event of each stream, least first."""
    taken = list[float]()
    for _ in range(COMMITS):
        since = commit(door.database, policy_id)
        taken += [(at - since) * 1000 for at in crowd.hear(STREAMS)]
        time.sleep(REST_SECONDS)
    return sorted(taken)


def main() -> None:
    """Open the streams, measure, and print what was found."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(FILES, STREAMS + 256) if most < 0 else most, most))
    with open_door() as door, closing(Crowd()) as crowd:
        with unit_of_work(door.database) as session:
            session.add(policy := sold())
        before = door.rss_mib()
        since = time.perf_counter()
        crowd.open(door.port, door.key, STREAMS)
        opened = time.perf_counter() - since
        measure(door, crowd, policy.id)
        used = door.cpu_seconds()
        rounds = [measure(door, crowd, policy.id) for _ in range(ROUNDS)]
        each = (door.cpu_seconds() - used) / (ROUNDS * COMMITS)
        used = door.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        idle = (door.cpu_seconds() - used) / IDLE_SECONDS
        held = door.rss_mib()
    print(f"{STREAMS:,} open streams, one front door: from a commit's return to each stream's event")
    for percentile in PERCENTILES:
        found = [one[min(len(one) - 1, len(one) * percentile // 100)] for one in rounds]
        aim = f"   aim: {AIM_MS:g}" if percentile == 95 else ""  # noqa: PLR2004 - the one that has an aim
        print(
            f"p{percentile:<4} {statistics.median(found):>8.1f} ms   "
            f"({min(found):.1f} to {max(found):.1f}, {ROUNDS} rounds of {COMMITS} commits){aim}"
        )
    print(f"opened in turn in {opened:.1f} s; {each * 1000:.0f} ms of processor a commit, {idle:.1%} of one while idle")
    print(
        f"memory {held:.0f} MiB, {before:.0f} before the streams: {(held - before) * 1024 / STREAMS:.0f} KiB a stream"
    )


def sold() -> PolicyRow:
    """A policy as the services would have made it."""
    return PolicyRow(
        owner_principal=OWNER,
        counterparty_principal=f"{CONTRACT}.liquidity-pool",
        protected_value_price_feed_units=45_000 * 10**8,
        protected_amount_sats=10**7,
        expiration_height=1_000,
        status_detailed=PolicyStatus.PENDING_CREATION,
        risk_tier="Balanced",
        oracle_data_snapshot_creation={"observations": [{"venue": "coinbase", "price": 5 * 10**12}] * 10},
    )


if __name__ == "__main__":
    main()
