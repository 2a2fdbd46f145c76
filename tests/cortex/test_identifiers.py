"""Names as Snowflake reads them."""

import pytest

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier, parse
from airflow_provider_cortex.errors import ArgumentError


@pytest.mark.parametrize(
    ("name", "folded", "sql"),
    [
        ("tickets", ["TICKETS"], '"TICKETS"'),
        ("Db.Public._t$1", ["DB", "PUBLIC", "_T$1"], '"DB"."PUBLIC"."_T$1"'),
        ('"my tickets"', ["my tickets"], '"my tickets"'),
        ('db."a.b"."say ""hi"""', ["DB", "a.b", 'say "hi"'], '"DB"."a.b"."say ""hi"""'),
        ('"; DROP TABLE t --"', ["; DROP TABLE t --"], '"; DROP TABLE t --"'),
    ],
)
def test_name(name: str, folded: list[str], sql: str) -> None:
    """What is not quoted is kept in capitals, and dots within quotes part nothing."""
    parts = parse(name)
    assert parts is not None
    assert [part.folded for part in parts] == folded
    assert identifiers.sql(parts) == sql


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a.b.c.d",
        "1a",
        "a b",
        "a-b",
        '"',
        '""',
        '"a',
        'a"b"',
        "a;b",
        "ä",
    ],
)
def test_no_name(name: str) -> None:
    """What is not a name is refused by the argument's, and told how to become one."""
    assert parse(name) is None
    with pytest.raises(ArgumentError, match="destination must be an identifier") as caught:
        identifiers.qualified("destination", name)
    assert f"and is {name!r}." in str(caught.value)
    assert "double quotes" in str(caught.value)
    assert (caught.value.argument, caught.value.value) == ("destination", name)


def test_depth() -> None:
    """A name has no more parts than its place allows."""
    assert parse("a.b", most=1) is None
    assert parse("a", most=1) == (Identifier("a"),)
    with pytest.raises(ArgumentError):
        identifiers.qualified("schema", "a.b", most=1)


@pytest.mark.parametrize(
    ("name", "folded"),
    [("body", "BODY"), ('"body"', "body"), ("ticket body", "ticket body"), ('a"b', 'a"b')],
)
def test_column(name: str, folded: str) -> None:
    """A column's name is Snowflake's if it is an identifier, and else meant letter by letter."""
    assert identifiers.column(name).folded == folded


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("triage", "TRIAGE"),
        ("DB.S.triage_2", "DB.S.TRIAGE"),
        ("DB.S.TRIAGE_2_10", "DB.S.TRIAGE_2"),
        ('DB.S."my model_3"', "DB.S.my model"),
        ("DB_1.S_2.triage", "DB_1.S_2.TRIAGE"),
        ("_1", "_1"),
        ("v_", "V_"),
        ("no name_7", "no name"),
    ],
)
def test_family(name: str, family: str) -> None:
    """The versions of a model differ in a number behind an underscore, and in how they are written."""
    assert identifiers.family(name) == family
