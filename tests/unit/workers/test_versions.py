"""Which servers are old enough to be refused, and what is said of those that give no version."""

import pytest

from workers.versions import (
    OLDEST,
    Product,
    ServerTooOld,
    ServerUnreachable,
    ServerVersion,
    broker_version,
    broker_version_of,
    postgres_version,
    require_supported,
)


def version(product: Product, *number: int) -> ServerVersion:
    major, minor = number
    return ServerVersion(product=product, number=(major, minor), address="db.example:1", setting="REGISTRY_X_URL")


@pytest.mark.parametrize(
    "served",
    [
        *(version(Product.POSTGRESQL, major, 0) for major in range(14, 20)),
        version(Product.REDIS, 7, 0),
        version(Product.REDIS, 8, 2),
        version(Product.VALKEY, 7, 2),
        version(Product.VALKEY, 9, 1),
    ],
    ids=str,
)
def test_a_server_as_old_as_the_oldest_supported_or_newer_is_taken(served: ServerVersion) -> None:
    require_supported(served)
    assert served.number >= OLDEST[served.product]


@pytest.mark.parametrize(
    "served",
    [version(Product.POSTGRESQL, 13, 22), version(Product.REDIS, 6, 2), version(Product.VALKEY, 7, 1)],
    ids=str,
)
def test_an_older_server_is_refused_with_what_is_needed_and_which_setting_names_it(served: ServerVersion) -> None:
    oldest = ".".join(map(str, OLDEST[served.product]))
    sentence = f"the {served.product} at db.example:1 is version .*, {oldest} or newer is needed; .* in REGISTRY_X_URL"
    with pytest.raises(ServerTooOld, match=sentence):
        require_supported(served)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"redis_version": "7.0.15"}, version(Product.REDIS, 7, 0)),
        ({"redis_version": "6.2.14"}, version(Product.REDIS, 6, 2)),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"}, version(Product.VALKEY, 9, 1)),
    ],
)
def test_a_valkey_is_known_from_the_redis_that_it_stands_in_for(
    told: dict[str, object], expected: ServerVersion
) -> None:
    assert broker_version_of(told, address="db.example:1", setting="REGISTRY_X_URL") == expected


@pytest.mark.parametrize("told", [{}, {"redis_version": "unstable"}, {"valkey_version": ""}])
def test_a_broker_without_a_readable_version_is_not_taken_for_any(told: dict[str, object]) -> None:
    with pytest.raises(ServerUnreachable, match="it says that its version is"):
        broker_version_of(told, address="db.example:1", setting="REGISTRY_X_URL")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "refused"),
        ("postgresql+psycopg2://u:secret@127.0.0.1:1/x", "refused"),
        ("mysql://u:secret@127.0.0.1:1/x", "no URL of a PostgreSQL"),
        ("postgresql://u:sec@secret@127.0.0.1:1/x", "write @ as %40"),
        ("postgresql://u:secret/secret@127.0.0.1:1/x", "/ as %2F"),
    ],
)
def test_a_database_that_does_not_answer_is_named_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(ServerUnreachable, match=reason) as caught:
        postgres_version(url)
    assert "sec" not in str(caught.value)
    assert "REGISTRY_DATABASE_URL" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://:secret@127.0.0.1:1/0", "refused"),
        ("rediss://:secret@127.0.0.1:1/0?ssl_cert_reqs=CERT_REQUIRED", "refused"),
        ("redis://:secret@127.0.0.1:port/0", "no URL of a Redis or Valkey"),
        ("amqp://u:secret@127.0.0.1:1/x", "no URL of a Redis or Valkey"),
        ("secret://127.0.0.1:1/0", "no URL of a Redis or Valkey"),
        ("redis://:sec@secret@127.0.0.1:1/0", "write @ as %40"),
    ],
)
def test_a_broker_that_does_not_answer_is_named_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(ServerUnreachable, match=reason) as caught:
        broker_version(url)
    assert "sec" not in str(caught.value)
    assert "REGISTRY_BROKER_URL" in str(caught.value)
