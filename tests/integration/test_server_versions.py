"""The embedded servers say which they are, and who is not let in says why."""

import pytest

from workers.versions import Product, ServerUnreachable, broker_version, postgres_version, require_supported


def with_password(url: str, password: str) -> str:
    user, _, rest = url.partition("@")
    return f"{user.rpartition(':')[0]}:{password}@{rest}"


def test_the_embedded_servers_say_which_they_are(postgres: str, valkey: str) -> None:
    database, broker = postgres_version(postgres), broker_version(valkey)
    for served in (database, broker):
        require_supported(served)
    assert (database.product, broker.product) == (Product.POSTGRESQL, Product.VALKEY)
    assert str(database).startswith("PostgreSQL 18.")
    assert database.address == postgres.partition("@")[2].partition("/")[0]


def test_a_wrong_password_is_no_version_and_is_not_repeated(postgres: str, valkey: str) -> None:
    with pytest.raises(ServerUnreachable, match="password authentication failed") as database:
        postgres_version(with_password(postgres, "mistyped"))
    with pytest.raises(ServerUnreachable, match="invalid username-password") as broker:
        broker_version(with_password(valkey, "mistyped"), setting="REGISTRY_RESULT_URL")
    assert "REGISTRY_RESULT_URL" in str(broker.value)
    assert "mistyped" not in f"{database.value}{broker.value}"
