"""The demo's last tables: how each policy ended, what else was tried, and what the audit says."""

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from registry.domain.units import MICRO_PER_STX, SATS_PER_BTC, Token
from workers.audit.audit import Audit
from workers.audit.records import Move
from workers.demo.display import style_of
from workers.demo.lives import Life
from workers.demo.probes import Probe

WIDTH = 120
"""Where there is no terminal."""

NARROWER = {"style": 95, "id": 86}
"""Columns that are left out where there are fewer characters than this on a line."""

CAPPED = "*"


def print_tables(lives: Sequence[Life], probes: Sequence[Probe], verdict: Audit, *, seconds: float) -> None:
    """Print everything on stdout."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    console.print(tables(lives, probes, verdict, seconds=seconds, width=console.width))


def tables(
    lives: Sequence[Life], probes: Sequence[Probe], verdict: Audit, *, seconds: float, width: int = WIDTH
) -> Group:
    """Everything, on lines of at most `width` characters, from 80 on without a break in a figure."""
    return Group(_policies(lives, verdict.walks, seconds=seconds, width=width), _probes(probes), _audit(verdict.checks))


def _policies(lives: Sequence[Life], walks: Mapping[str, Sequence[Move]], *, seconds: float, width: int) -> Table:
    table = _table(f"{len(lives)} policies, after {seconds:.1f} s")
    table.caption, table.caption_justify = f"{CAPPED} capped: all the collateral that it had", "left"
    rows = [_row(life, walks.get(life.id or "", ())) for life in lives]
    shown = [heading for heading in rows[0] if NARROWER.get(heading, 0) <= width] if rows else []
    for heading in shown:
        table.add_column(heading, justify="right" if heading in {"premium", "payout"} else "left", overflow="fold")
    for row in rows:
        table.add_row(*(row[heading] for heading in shown))
    return table


def _row(life: Life, walk: Sequence[Move]) -> dict[str, Text | str]:
    policy, plan = life.policy, life.plan
    on_chain = policy.get("policy_id_on_chain")
    capped = CAPPED if life.is_capped else " "
    return {
        "owner": plan.name,
        "tier": policy.get("risk_tier") or "",
        "token": plan.token.value,
        "style": plan.style.value,
        "status": Text(life.status, style=style_of(life)),
        "id": "" if on_chain is None else f"u{on_chain}",
        "edges": "".join(move.edge for move in walk),
        "premium": _coins(policy.get("premium_amount_base_units"), plan.token),
        "payout": _coins(policy.get("settlement_amount_base_units"), plan.token) + capped,
    }


def _probes(probes: Sequence[Probe]) -> Table:
    table = _table("What else was tried")
    for heading in ("who", "what", "answered by", "answer"):
        table.add_column(heading)
    for probe in probes:
        style = "green" if probe.answer == probe.wanted else "bold red"
        table.add_row(probe.who, probe.what, probe.by, Text(probe.answer, style=style))
    return table


def _audit(checks: Mapping[str, bool]) -> Table:
    table = _table("Audit")
    for heading in ("", "check"):
        table.add_column(heading)
    for name, holds in checks.items():
        table.add_row(Text("holds", style="green") if holds else Text("BROKEN", style="bold red"), name)
    return table


def _table(title: str) -> Table:
    return Table(title=f"\n{title}", title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)


def _coins(amount: int | None, token: Token) -> str:
    if amount is None:
        return ""
    return f"{amount / MICRO_PER_STX:.6f}" if token is Token.STX else f"{amount / SATS_PER_BTC:.8f}"
