"""What people read on stdout: facts one a line, tables in columns, money in coins. No colour where no terminal is."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

import typer

from registry.domain.units import MICRO_PER_STX, SATS_PER_BTC, USD8, Token

GAP = "  "
_DECIMALS = {Token.STX: (MICRO_PER_STX, 6), Token.SBTC: (SATS_PER_BTC, 8)}
_NOTHING = "-"
_SECOND = len("2026-01-01T00:00:00")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?( [A-Za-z%]+)?")


def print_facts(facts: Mapping[str, object], *, indent: str = "") -> None:
    """Print a value a line behind its name; None is shown as a dash."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{indent}{name:<{width}}{GAP}{shown(value)}".rstrip())


def print_heading(text: str) -> None:
    """Print a heading under an empty line, bold on a terminal."""
    typer.echo()
    typer.echo(typer.style(text, bold=True) if sys.stdout.isatty() else text)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, indent: str = "") -> None:
    """Print rows in columns as wide as they need; numbers stand to the right. Nothing is cut and nothing is folded."""
    cells = [[shown(value) for value in row] for row in rows]
    columns = list(zip(headings, *cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(cells) and all(_is_number(cell) for cell in column[1:]) for column in columns]
    lines = [_line(row, widths, right, indent=indent) for row in (headings, *cells)]
    typer.echo(typer.style(lines[0], bold=True) if sys.stdout.isatty() else lines[0])
    for line in lines[1:]:
        typer.echo(line)


def shown(value: object) -> str:
    """A value as text."""
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def coins(amount: int | None, token: str | None) -> str | None:
    """An amount in whole coins, exactly: 1.500000 STX. None stays None."""
    if amount is None or token is None:
        return None
    unit, digits = _DECIMALS[Token(token)]
    whole, part = divmod(abs(amount), unit)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{digits}} {token}"


def second(moment: str | None) -> str | None:
    """A time in ISO 8601, to the second. None stays None."""
    return None if moment is None else moment[:_SECOND]


def bitcoins(sats: int) -> str:
    """An amount in bitcoin, exactly: 0.10000000."""
    whole, part = divmod(sats, SATS_PER_BTC)
    return f"{whole}.{part:08}"


def dollars(price: int, *, digits: int = 2) -> str:
    """A price in USD with so many digits of a dollar, floored: 45000.00."""
    return f"{price // USD8}.{price % USD8 * 10**digits // USD8:0{digits}}"


def per_cent(ppm: int) -> str:
    """Parts per million as a percentage, exactly: 12.3456 %."""
    return f"{ppm // 10_000}.{ppm % 10_000:04} %"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], *, indent: str) -> str:
    aligned = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return (indent + GAP.join(aligned)).rstrip()


def _is_number(cell: str) -> bool:
    return cell == _NOTHING or _NUMBER.fullmatch(cell) is not None
