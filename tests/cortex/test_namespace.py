"""How names in Snowflake are completed and addressed."""

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
def test_a_name_is_completed_from_the_session(name: str, uri: str, folded: list[str]) -> None:
    """Its address keeps the case as written; lineage uses the case that Snowflake stores."""
    assert HOME.uri(name) == f"snowflake://{uri}"
    assert [part.folded for part in HOME.full_name(name)] == folded


def test_names_in_a_connection_may_be_quoted() -> None:
    """The driver also accepts names without the quotes that they would need in SQL."""
    place = Namespace(account="xy12345.eu-west-1", database='"my db"', schema=" my-schema ")
    assert place.uri("m") == "snowflake://xy12345.eu-west-1/my%20db/my-schema/m"


@pytest.mark.parametrize(
    ("place", "name", "reason"),
    [
        (HOME, "it's mine", "not a Snowflake identifier"),
        (HOME, "a.b.c.d", "not a Snowflake identifier"),
        (Namespace(account="a", schema="s"), "m", "names a database"),
        (Namespace(account="a", database="d"), "m", "names a schema"),
        (Namespace(account="a", database=" ", schema="s"), "t.m", "names a database"),
        (Namespace(database="d", schema="s"), "d.s.m", "connection has no account"),
    ],
)
def test_a_name_that_cannot_be_completed_is_an_error(
    place: Namespace, name: str, reason: str
) -> None:
    """The error names what is missing."""
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
def test_a_query_has_an_address_in_snowsight(account: str, path: str) -> None:
    """The address has the account's path."""
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
def test_a_host_in_the_usual_domain_keeps_the_address(host: str | None) -> None:
    """Its case does not matter."""
    url = Namespace(account="org-acc", host=host).query_url("01b")
    assert url == "https://app.snowflake.com/org/acc/#/compute/history/queries/01b/detail"


@pytest.mark.parametrize("account", [None, "", "xy12345", "xy12345.snowflakecomputing.com"])
def test_an_account_without_region_or_organization_has_no_address(account: str | None) -> None:
    """Its Snowsight address is unknown."""
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
def test_an_account_elsewhere_has_no_address(account: str) -> None:
    """With private link or in another domain, no link is better than a wrong one."""
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
def test_a_host_elsewhere_has_no_address(account: str, host: str) -> None:
    """The account's name alone does not show it."""
    assert Namespace(account=account, host=host).query_url("01b") is None
