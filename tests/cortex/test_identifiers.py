"""How Snowflake's identifiers are parsed."""

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
def test_a_name_is_split_into_its_parts(name: str, folded: list[str], sql: str) -> None:
    """Unquoted parts are stored in capitals; a dot within quotes does not split a name."""
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
def test_an_invalid_name_is_rejected(name: str) -> None:
    """The error names the argument, and explains how to quote a name."""
    assert parse(name) is None
    with pytest.raises(ArgumentError, match="destination must be an identifier") as caught:
        identifiers.parse_argument("destination", name)
    assert f"; got {name!r}." in str(caught.value)
    assert "double quotes" in str(caught.value)
    assert (caught.value.argument, caught.value.value) == ("destination", name)


def test_a_name_has_a_maximum_number_of_parts() -> None:
    """The caller may lower it."""
    assert parse("a.b", max_parts=1) is None
    assert parse("a", max_parts=1) == (Identifier("a"),)
    with pytest.raises(ArgumentError):
        identifiers.parse_argument("schema", "a.b", max_parts=1)


@pytest.mark.parametrize(
    ("name", "folded"),
    [("body", "BODY"), ('"body"', "body"), ("ticket body", "ticket body"), ('a"b', 'a"b')],
)
def test_text_that_is_not_an_identifier_is_quoted(name: str, folded: str) -> None:
    """A valid identifier is read as Snowflake reads it."""
    assert identifiers.parse_or_quote(name).folded == folded


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
def test_versions_of_a_model_share_a_family(name: str, family: str) -> None:
    """They differ in a number after an underscore, and in how the name is written."""
    assert identifiers.family(name) == family
