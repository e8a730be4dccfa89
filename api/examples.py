"""Examples of the OpenAPI document: one value of each shape, by what its fields are called."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from api.problem import MEDIA_TYPE

JSON = "application/json"
OWNER = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
TX_ID = "5b1d0d9b3b0c4a9d4f0f4f1f4bb1f1b6f0c9e1a2d3c4b5a6978877665544332a"
UUID = "0193a1d8-6f0e-7c3a-9d5b-2f1e4c8b7a60"
PREFIX = "0a1b2c3d4e5f"
PLACE = "1767268800000000.0193a1d86f0e7c3a9d5b2f1e4c8b7a60"
TIME = "2026-03-01T12:00:00+00:00"
REFUSALS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "400": (
        "bad_request",
        "limit is not usable: it is not between 1 and 200; correct it and ask again",
        {"field": "limit"},
    ),
    "401": ("unauthorized", "sign in with a wallet (POST /v1/challenges), or send a service's key", {}),
    "403": ("forbidden", "this needs a session of a holder, not a service's key", {}),
    "404": ("policy_not_found", f"{OWNER} has no policy {UUID}", {"owner": OWNER, "policy": UUID}),
    "408": ("too_slow", "the body did not come within 10 s", {}),
    "409": (
        "idempotency_key_reused",
        "the idempotency key order-1041 was used for another request",
        {"key": "order-1041"},
    ),
    "413": ("too_large", "a body has at most 65536 bytes", {}),
    "415": ("not_json", "a body must be application/json, without a content encoding", {}),
    "422": (
        "outside_tiers",
        "no tier takes a strike of 9000000000000 at a spot of 5000000000000 for 30 days",
        {"strike": "9000000000000", "spot": "5000000000000", "days": "30"},
    ),
    "429": (
        "rate_limited",
        "more than 600 requests a minute; ask again in 7 s",
        {"rate": "requests", "per_minute": "600", "seconds": "7"},
    ),
    "503": ("database_unavailable", "nothing was kept; send it again later", {}),
}
FIELDS: Mapping[str, Any] = {
    "owner": OWNER,
    "owner_principal": OWNER,
    "principal": OWNER,
    "address": OWNER,
    "counterparty_principal": "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB.liquidity-pool",
    "policy": UUID,
    "counterparty": "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB.liquidity-pool",
    "policy_type": "PUT",
    "premium_token": "STX",
    "settlement_token": "STX",
    "exercise_style": "american",
    "status_detailed": "Active",
    "status": "Active",
    "risk_tier": "Balanced",
    "tier": "Balanced",
    "protected_value_price_feed_units": "4500000000000",
    "protected_amount_sats": "10000000",
    "premium_amount_base_units": "61250000",
    "premium_fee_amount_base_units": "1225000",
    "duration_days": 30,
    "expiration_height": 904_320,
    "tx_id": TX_ID,
    "idempotency_key": "order-1041",
    "limit": 50,
    "token": "STX",
}
KEYS: Mapping[str, str] = {
    "by_status": "Active",
    "by_token": "STX",
    "tokens": "STX",
    "tiers": "Balanced",
    "by_tier": "Balanced",
}
"""What the names are in an object that maps."""
_FORMATS: Mapping[str, Any] = {"uuid": UUID, "date-time": TIME, "date": "2026-03-01", "uri": "https://example.com/hook"}


def exemplify(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Give each body and each answer of an operation an example, where it has none."""
    answers = [(status, answer.get("content", {})) for status, answer in operation["responses"].items()]
    for status, content in [*answers, ("", operation.get("requestBody", {}).get("content", {}))]:
        for kind, described in content.items():
            if {"example", "examples"} & set(described):
                continue
            if kind == MEDIA_TYPE:
                described["example"] = refusal(status)
            elif kind == JSON:
                described["example"] = sample(described.get("schema", {}), schemas)
    for parameter in operation.get("parameters", []):
        if not {"example", "examples"} & {*parameter, *parameter["schema"]}:
            parameter["example"] = sample(parameter["schema"], schemas, name=parameter["name"])


def refusal(status: str) -> dict[str, Any]:
    """A problem of this status."""
    code, detail, figures = REFUSALS[status]
    told = {
        "type": f"urn:policy-registry:{code}",
        "title": HTTPStatus(int(status)).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    return {**told, "figures": dict(figures)} if figures else told


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """One value that a schema allows."""
    match schema:
        case {"$ref": str(place)}:
            return sample(schemas[place.rpartition("/")[2]], schemas, name=name)
        case {"enum": options} if FIELDS.get(name) in options:
            return FIELDS[name]
        case {"example": first} | {"examples": [first, *_]} | {"const": first} | {"enum": [first, *_]}:
            return first
        case {"anyOf": [inner, *_]} | {"oneOf": [inner, *_]}:
            return sample(inner, schemas, name=name)
    return _made(schema, schemas, name=name)


def _made(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, name: str) -> Any:  # noqa: ANN401 - JSON
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, name=name)
        case "array":
            return [sample(schema.get("items", {}), schemas, name=name.removesuffix("s"))]
        case _:
            return _simple(schema, name=name)


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        return {KEYS.get(name, "name"): sample(more, schemas)}
    return {each: sample(inner, schemas, name=each) for each, inner in schema.get("properties", {}).items()}


def _simple(schema: Mapping[str, Any], *, name: str) -> Any:  # noqa: ANN401 - JSON
    match schema.get("type"):
        case "integer" | "number" if isinstance(FIELDS.get(name), int):
            return FIELDS[name]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "string":
            return _text(schema, name=name)
        case _:
            return None


def _text(schema: Mapping[str, Any], *, name: str) -> str:
    if "format" in schema:
        return str(_FORMATS.get(schema["format"], "text"))
    return next((each for each in _guesses(name) if _fits(each, schema)), "text")


def _guesses(name: str) -> Iterator[str]:
    if isinstance(FIELDS.get(name), str):
        yield FIELDS[name]
    if name.endswith(("_at", "_timestamp", "_estimate")):
        yield TIME
    if name != "id" and not name.endswith("_id"):
        yield "text"
    yield from (UUID, OWNER, TX_ID, PREFIX, PLACE)


def _fits(text: str, schema: Mapping[str, Any]) -> bool:
    return re.search(schema.get("pattern", ""), text) is not None and len(text) <= schema.get("maxLength", len(text))
