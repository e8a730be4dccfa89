"""Kinds of columns and of rules that the tables are made of."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, Numeric, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


class Uint128(TypeDecorator[int]):
    """What a contract can count to: no 64-bit column holds it, so it is NUMERIC, and an int in Python."""

    impl = Numeric(39, 0)
    cache_ok = True

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base's
        """Read the integer that it is."""
        return None if value is None else int(value)


def now() -> datetime:
    """The present, where a row is made without being told."""
    return datetime.now(UTC)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """A rule: the column holds one of these, or NULL."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def positive(*columns: str) -> tuple[CheckConstraint, ...]:
    """Rules: each column is over 0, or NULL."""
    return tuple(CheckConstraint(f"{column} > 0", name=f"{column}_positive") for column in columns)


def not_negative(*columns: str) -> tuple[CheckConstraint, ...]:
    """Rules: no column is under 0."""
    return tuple(CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative") for column in columns)


def timestamp(**more: Any) -> Any:  # noqa: ANN401 - SQLModel's Field answers Any
    """A column of a moment, with its zone."""
    return Field(sa_type=DateTime(timezone=True), **more)


def big(**more: Any) -> Any:  # noqa: ANN401 - SQLModel's Field answers Any
    """A column of 64 bits."""
    return Field(sa_type=BigInteger, **more)


def uint(**more: Any) -> Any:  # noqa: ANN401 - SQLModel's Field answers Any
    """A column of what a contract can count to."""
    return Field(sa_type=Uint128, **more)


def json_object(**more: Any) -> Any:  # noqa: ANN401 - SQLModel's Field answers Any
    """A column of JSON."""
    # None is SQL's NULL: a JSON null would pass for a value in every CHECK and condition
    return Field(sa_type=JSONB(none_as_null=True), **more)
