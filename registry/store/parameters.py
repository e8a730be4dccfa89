"""Versions of the parameters."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import Alarm
from registry.domain.parameters import Parameters
from registry.store.tables import ParametersRow


class ParametersMissingError(Alarm):
    """Nothing says what is sold."""

    code = "parameters_missing"
    sentence = "the database holds no parameters"
    remedy = "run `registry migrate`"


def current(session: Session) -> tuple[int, Parameters]:
    """The set in force, with its id."""
    row = session.execute(select(ParametersRow).order_by(col(ParametersRow.id).desc()).limit(1)).scalar_one_or_none()
    if row is None or row.id is None:
        raise ParametersMissingError
    return row.id, Parameters.from_json(row.parameter_values)


def version(session: Session, parameters_id: int) -> Parameters:
    """The set that something was made under."""
    row = session.get(ParametersRow, parameters_id)
    if row is None:
        raise ParametersMissingError
    return Parameters.from_json(row.parameter_values)


def put_in_force(session: Session, parameters: Parameters, *, reason: str) -> None:
    """Add a version; what was sold under an older one keeps it."""
    session.add(ParametersRow(parameter_values=parameters.to_json(), reason=reason))
