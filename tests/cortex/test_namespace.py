"""Where a name belongs."""

import pytest

from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.errors import UnknownNamespaceError

HOME = Namespace(account="org-acc", database="db", schema="Public")


@pytest.mark.parametrize(
    ("name", "uri", "folded"),
    [
        ("m", "org-acc/db/Public/m", ["DB", "PUBLIC", "M"]),
        ("s.M", "org-acc/db/s/M", ["DB", "S", "M"]),
        ("my.s.m_1", "org-acc/my/s/m_1", ["MY", "S", "M_1"]),
        ('"my db"."a/b"."c?""d"', "org-acc/my%20db/a%2Fb/c%3F%22d", ["my db", "a/b", 'c?"d']),
        ('d.s."é"', "org-acc/d/s/%C3%A9", ["D", "S", "é"]),
    ],
)
def test_names(name: str, uri: str, folded: list[str]) -> None:
    """A name is completed from the session; its address has its own letters, lineage those that Snowflake keeps."""
    assert HOME.uri(name) == f"snowflake://{uri}"
    assert [part.folded for part in HOME.full_name(name)] == folded


def test_a_session_with_quoted_names() -> None:
    """What a connection says may be quoted, or need quotes and have none, as the driver has it."""
    place = Namespace(account="xy12345.eu-west-1", database='"my db"', schema=" my-schema ")
    assert place.uri("m") == "snowflake://xy12345.eu-west-1/my%20db/my-schema/m"


@pytest.mark.parametrize(
    ("place", "name", "reason"),
    [
        (HOME, "it's mine", "no name in Snowflake"),
        (HOME, "a.b.c.d", "no name in Snowflake"),
        (Namespace(account="a", schema="s"), "m", "names a database"),
        (Namespace(account="a", database="d"), "m", "names a schema"),
        (Namespace(account="a", database=" ", schema="s"), "t.m", "names a database"),
        (Namespace(database="d", schema="s"), "d.s.m", "connection has no account"),
    ],
)
def test_what_nobody_can_tell(place: Namespace, name: str, reason: str) -> None:
    """A name that nobody can place is told with what is missing."""
    with pytest.raises(UnknownNamespaceError, match=reason) as error:
        place.uri(name)
    assert error.value.name == name
    assert reason in error.value.reason
    assert repr(name) in str(error.value)


@pytest.mark.parametrize(
    ("account", "path"),
    [
        ("ORG-My_Acc", "org/my_acc"),
        ("org-acc-2", "org/acc-2"),
        ("XY12345.eu-west-1", "eu-west-1/xy12345"),
        ("xy12345.us-east-2.aws", "us-east-2.aws/xy12345"),
        ("xy12345.us-gov-west-1.aws", "us-gov-west-1.aws/xy12345"),
        ("org-acc.snowflakecomputing.com", "org/acc"),
        ("xy12345.eu-west-1.snowflakecomputing.com", "eu-west-1/xy12345"),
        ("org-my_privatelink", "org/my_privatelink"),
        ("o/g-a/c", "o%2Fg/a%2Fc"),
        ("x/y.r/n", "r%2Fn/x%2Fy"),
    ],
)
def test_query_url(account: str, path: str) -> None:
    """A query is found in Snowsight by its account's path."""
    url = Namespace(account=account).query_url("01/b")
    assert url == f"https://app.snowflake.com/{path}/#/compute/history/queries/01%2Fb/detail"


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "org-acc.snowflakecomputing.com",
        "ORG-ACC.SnowflakeComputing.com",
        "xy12345.eu-west-1.snowflakecomputing.com",
    ],
)
def test_query_url_with_a_host(host: str | None) -> None:
    """A host in Snowflake's usual domain makes no difference."""
    url = Namespace(account="org-acc", host=host).query_url("01b")
    assert url == "https://app.snowflake.com/org/acc/#/compute/history/queries/01b/detail"


@pytest.mark.parametrize("account", [None, "", "xy12345", "xy12345.snowflakecomputing.com"])
def test_no_query_url(account: str | None) -> None:
    """An account that does not tell where it is has no address."""
    assert Namespace(account=account).query_url("01b") is None


@pytest.mark.parametrize(
    "account",
    [
        "org-acc.privatelink",
        "ORG-ACC.PrivateLink",
        "xy12345.privatelink",
        "xy12345.eu-west-1.privatelink",
        "xy12345.us-east-2.aws.privatelink",
        "org-acc.privatelink.snowflakecomputing.com",
        "org-acc.global",
        "xy12345.global",
        "org-acc.snowflakecomputing.cn",
        "xy12345.cn-northwest-1.snowflakecomputing.cn",
        # The driver takes such an account to be in the domain .cn.
        "xy12345.cn-northwest-1",
        "xy12345.CN-northwest-1.aws",
        "org-acc.eu-west-1",
    ],
)
def test_account_without_a_snowsight_that_is_known(account: str) -> None:
    """Over private link, and in another domain, Snowsight is elsewhere: no link is better than a wrong one."""
    assert Namespace(account=account).query_url("01b") is None


@pytest.mark.parametrize(
    "host",
    [
        "org-acc.privatelink.snowflakecomputing.com",
        "xy12345.eu-west-1.PrivateLink.snowflakecomputing.com",
        "org-acc.privatelink.snowflakecomputing.cn",
        "org-acc.snowflakecomputing.cn",
        "ORG-ACC.SnowflakeComputing.CN",
        "org-acc.global.snowflakecomputing.com",
    ],
)
@pytest.mark.parametrize("account", ["org-acc", "xy12345.eu-west-1"])
def test_host_without_a_snowsight_that_is_known(account: str, host: str) -> None:
    """So it is if only the connection's host says it."""
    assert Namespace(account=account, host=host).query_url("01b") is None
