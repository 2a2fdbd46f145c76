"""Ordinary statements: how they are recorded, and how they fail."""

import warnings

import pytest
from snowflake.connector import DictCursor
from snowflake.connector.errors import ProgrammingError

from tests.emulator.client import SHOW


def test_statements_are_recorded_with_session_and_query_tag(cortex_emulator, connect):
    """So tests can check what was sent, by which session, and with which tag."""
    tagged = connect(session_parameters={"QUERY_TAG": "login"})
    plain = connect()
    tagged.cursor().execute(SHOW)
    plain.cursor().execute("SELECT %s", (1,))
    tagged.cursor().execute("ALTER SESSION SET QUERY_TAG = 'altered'")
    tagged.cursor().execute(SHOW)
    tagged.cursor().execute(SHOW, _statement_params={"QUERY_TAG": "statement"})
    assert [(s.session, s.query_tag, s.sql) for s in cortex_emulator.statements] == [
        (1, "login", SHOW),
        (2, None, "SELECT 1"),
        (1, "login", "ALTER SESSION SET QUERY_TAG = 'altered'"),
        (1, "altered", SHOW),
        (1, "statement", SHOW),
    ]
    assert cortex_emulator.logins == 2


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        pytest.param("SELEC 1", 1003, id="syntax"),
        pytest.param("SELECT 'open", 1003, id="open quote"),
        pytest.param("SELECT * FROM nowhere", 2003, id="table"),
        pytest.param("SELECT nothing(1)", 2003, id="function"),
        pytest.param("SELECT SNOWFLAKE.CORTEX.NOTHING(1)", 2141, id="Cortex function"),
        pytest.param("SELECT 'x'::INTEGER", 100035, id="conversion"),
        pytest.param("SELECT ERROR('x')", 100035, id="what fakesnow does not map"),
        pytest.param("SELECT * FROM VALUES ([{'a': 1}]) AS t(x), t", None, id="anything"),
    ],
)
def test_mistakes_in_sql_are_sql_errors(cortex_emulator, connect, sql, errno):
    """None of them is an HTTP 500, which the driver would retry for minutes."""
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute(sql)
    assert errno in {None, caught.value.errno}
    assert len(cortex_emulator.statements) == 1


def test_messages_do_not_repeat_number_and_state(connect):
    """They have fields of their own, and the driver adds them to the message."""
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute("SELECT * FROM nowhere")
    assert (caught.value.errno, caught.value.sqlstate) == (2003, "42S02")
    assert str(caught.value).count("002003") == str(caught.value).count("42S02") == 1
    assert caught.value.sfqid


QUOTED = """x AS "x", x AS "xY", x AS y, "q", upper('a') "u", SYSTEM$CANCEL_QUERY('') "c\""""
NAMES = ["x", "xY", "Y", "q", "u", "c"]


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT {QUOTED} FROM t",
        f"SELECT * FROM (SELECT {QUOTED} FROM t)",
        f"WITH w AS (SELECT {QUOTED} FROM t) SELECT w.* FROM w",
        "SELECT * FROM v",
        "SELECT * FROM c",
    ],
)
def test_quoted_aliases_keep_their_case(connect, query):
    """In the description, in rows that are dictionaries, and without executing the query."""
    cursor = connect().cursor(DictCursor)
    cursor.execute('CREATE TABLE t AS SELECT 1 AS x, 2 AS "q"')
    cursor.execute(f"CREATE VIEW v AS SELECT {QUOTED} FROM t")
    cursor.execute(f"CREATE TABLE c AS SELECT {QUOTED} FROM t")
    assert list(cursor.execute(query).fetchone()) == NAMES
    assert [column.name for column in cursor.description] == NAMES
    assert [column.name for column in cursor.describe(query)] == NAMES
    assert [row["name"] for row in cursor.execute("DESCRIBE TABLE c").fetchall()] == NAMES


def test_the_warning_filter_is_never_removed(cortex_emulator, connect, monkeypatch):
    """DuckDB's warning would otherwise be an error in other threads for a moment."""

    class Filters(list[object]):
        def remove(self, filter_):
            raise AssertionError(f"for a moment, {filter_} is not there")

    connect().cursor().execute(SHOW)
    monkeypatch.setattr(warnings, "filters", Filters(warnings.filters))
    connect().cursor().execute(SHOW)
