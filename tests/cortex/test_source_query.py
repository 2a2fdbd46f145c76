"""What users write as SQL can stand in parentheses, and still says the same."""

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
def test_end_of_a_query(end: str) -> None:
    """Semicolons and comments that last until the end of a line are no part of a query, in any order."""
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
    """A block comment closes by itself, so it stays where it is."""
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
    """What looks like a comment or an end within a literal or a quoted name is neither."""
    if literal.startswith("@"):
        literal = "'" + literal
    sql = f"SELECT {literal}"
    assert source_query.without_terminator("data", sql) == sql
    assert source_query.without_terminator("data", f"{sql} ; -- x") == sql


def test_comments_within_stay() -> None:
    """Comments before the end stay: only the last ones would swallow a parenthesis."""
    sql = "-- all\nSELECT a, -- the first\n b // the second\nFROM t"
    assert source_query.without_terminator("data", sql) == sql


def test_byte_order_mark() -> None:
    """A byte order mark at the beginning of a file is no part of its query; one within it stays."""
    assert source_query.without_terminator("data", f"\ufeff{HEAD};") == HEAD
    assert source_query.without_terminator("data", f" \ufeff\n{HEAD}") == HEAD
    assert source_query.without_terminator("data", "SELECT '\ufeff'") == "SELECT '\ufeff'"
    assert source_query.source("data", "\ufefftickets\n") == "SELECT * FROM tickets"
    assert source_query.is_not_sql("\ufeffsnow://dataset/x")


@pytest.mark.parametrize("sql", ["-- all", ";", "/* nothing */", "\ufeff", ";;-- a\n/* b */"])
def test_nothing(sql: str) -> None:
    """What holds no SQL is rejected by the argument's name."""
    with pytest.raises(QueryError, match=r"^data holds no SQL"):
        source_query.without_terminator("data", sql)


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "SELECT 1;;SELECT 2;", "; SELECT 1"])
def test_several_statements(sql: str) -> None:
    """Several statements are rejected by the argument's name: Cortex would run them as one, and fail."""
    with pytest.raises(QueryError, match=r"^data must be one statement"):
        source_query.without_terminator("data", sql)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("tickets", "SELECT * FROM tickets"),
        ("db.s.tickets; -- all", "SELECT * FROM db.s.tickets"),
        ('"my tickets" // all', 'SELECT * FROM "my tickets"'),
        (HEAD, HEAD),
    ],
)
def test_source(written: str, source: str) -> None:
    """A table's name is a query for all of it."""
    assert source_query.source("data", written) == source


def test_twice_is_once() -> None:
    """What is prepared already stays as it is: a task and its hook both prepare it."""
    once = source_query.source("data", "tickets; /* a */ -- b")
    assert once == "SELECT * FROM tickets /* a */"
    assert (
        source_query.source("data", once) == source_query.without_terminator("data", once) == once
    )
