"""A user's query is prepared to stand in parentheses, and keeps its meaning."""

import pytest

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.errors import QueryError

HEAD = "SELECT prompt, completion FROM tickets"


@pytest.mark.parametrize(
    "end",
    [
        *("", " ; ", ";;", "; ;\n", "\n"),
        *(
            " -- all",
            " // all",
            "\n-- a\n// b\n",
            " --",
            " //",
            "-- it's",
            '// say "x',
            " -- */",
            "// /*",
        ),
        *("; -- weekly", "; // weekly", ";\n-- a\n;\n-- b\n", " -- a ; b"),
    ],
)
def test_semicolons_and_line_comments_at_the_end_are_removed(end: str) -> None:
    """In any order: both would break a closing parenthesis."""
    assert source_query.without_terminator("data", HEAD + end) == HEAD


@pytest.mark.parametrize(
    ("written", "without_terminator"),
    [
        ("SELECT 1 /* a */", "SELECT 1 /* a */"),
        ("SELECT 1; /* a */ -- b\n/* c */;", "SELECT 1 /* a */ /* c */"),
        ("/* a */ SELECT 1", "/* a */ SELECT 1"),
    ],
)
def test_block_comments_stay(written: str, without_terminator: str) -> None:
    """A block comment does not reach the closing parenthesis."""
    assert source_query.without_terminator("data", written) == without_terminator


@pytest.mark.parametrize(
    "literal",
    [
        *("'--'", "'//'", "';'", "'/*'", "'*/'", "'https://example.com/;--x'", "'it''s -- x'"),
        *(r"'it\'s -- x'", r"'\\'", r"'a\\' || '--'", "'a\n-- b\n'", "''"),
        *('"--"', '"//"', '";"', '"a""--"', '"a\\"', "$$--$$", "$$ it's ; // $$", "$$\n--\n$$"),
        *("1 # 2", "# 1", "/*+ hint */ 1", "a / b", "a - -b", "$1", ":x", "@stage/a//b'"),
    ],
)
def test_literals_stay_whole(literal: str) -> None:
    """Comment signs and semicolons within literals and quoted names have no effect."""
    if literal.startswith("@"):
        literal = "'" + literal
    sql = f"SELECT {literal}"
    assert source_query.without_terminator("data", sql) == sql
    assert source_query.without_terminator("data", f"{sql} ; -- x") == sql


def test_comments_before_the_end_stay() -> None:
    """Only a comment at the end would swallow the closing parenthesis."""
    sql = "-- all\nSELECT a, -- the first\n b // the second\nFROM t"
    assert source_query.without_terminator("data", sql) == sql


def test_a_leading_byte_order_mark_is_removed() -> None:
    """One within the query stays."""
    assert source_query.without_terminator("data", f"\ufeff{HEAD};") == HEAD
    assert source_query.without_terminator("data", f" \ufeff\n{HEAD}") == HEAD
    assert source_query.without_terminator("data", "SELECT '\ufeff'") == "SELECT '\ufeff'"
    assert source_query.as_query("data", "\ufefftickets\n") == "SELECT * FROM tickets"
    assert source_query.is_not_sql("\ufeffsnow://dataset/x")


@pytest.mark.parametrize("sql", ["-- all", ";", "/* nothing */", "\ufeff", ";;-- a\n/* b */"])
def test_a_query_without_sql_is_rejected(sql: str) -> None:
    """The error names the argument."""
    with pytest.raises(QueryError, match=r"^data holds no SQL"):
        source_query.without_terminator("data", sql)


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "SELECT 1;;SELECT 2;", "; SELECT 1"])
def test_several_statements_are_rejected(sql: str) -> None:
    """Cortex would run them as one statement, and fail."""
    with pytest.raises(QueryError, match=r"^data must be one statement"):
        source_query.without_terminator("data", sql)


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("tickets", "SELECT * FROM tickets"),
        ("db.s.tickets; -- all", "SELECT * FROM db.s.tickets"),
        ('"my tickets" // all', 'SELECT * FROM "my tickets"'),
        (HEAD, HEAD),
    ],
)
def test_a_table_name_becomes_a_query(written: str, query: str) -> None:
    """The query selects all of the table; other queries stay as they are."""
    assert source_query.as_query("data", written) == query


def test_a_prepared_query_stays_as_it_is() -> None:
    """A task and its hook both prepare it."""
    once = source_query.as_query("data", "tickets; /* a */ -- b")
    assert once == "SELECT * FROM tickets /* a */"
    assert (
        source_query.as_query("data", once) == source_query.without_terminator("data", once) == once
    )
