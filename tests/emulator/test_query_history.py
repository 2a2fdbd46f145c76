"""INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER with the unmodified driver."""

from datetime import UTC, datetime

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import Life

HISTORY = "TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER({}))"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def session(connect):
    """Open a session with a query tag."""
    return connect(session_parameters={"QUERY_TAG": "weekly"})


@pytest.fixture
def rows(session):
    """Run a statement, and return its rows."""
    return lambda sql, *values: session.cursor().execute(sql, values or None).fetchall()


def select(columns, *arguments, rest="WHERE NOT CONTAINS(query_text, 'HISTORY')"):
    """Return a statement about all others."""
    return f"SELECT {columns} FROM {HISTORY.format(', '.join(arguments))} {rest}"


def test_each_statement_is_in_the_history(session, rows):
    """With its id, the session's user and tag, its status and when it has run; newest first."""
    ids = [session.cursor().execute(sql).sfqid for sql in ("SELECT 1", "SELECT 'it''s'")]
    columns = "query_id, query_text, user_name, query_tag, execution_status, error_message"
    assert rows(select(columns)) == [
        (ids[1], "SELECT 'it''s'", "EMULATOR", "weekly", "SUCCESS", None),
        (ids[0], "SELECT 1", "EMULATOR", "weekly", "SUCCESS", None),
    ]
    ((first, last),) = rows(select("MIN(start_time), MAX(end_time)"))
    assert EPOCH < first <= last


def test_the_search_itself_is_running(rows):
    """As in Snowflake: who searches for a text finds the search."""
    ((text, status, ended),) = rows(select("query_text, execution_status, end_time", rest=""))
    assert "QUERY_HISTORY_BY_USER" in text
    assert (status, ended) == ("RUNNING", EPOCH)


def test_a_failed_statement_has_its_error(rows):
    """Its status is the documented one."""
    with pytest.raises(ProgrammingError):
        rows("SELECT nothing")
    ((status, message),) = rows(select("execution_status, error_message"))
    assert status == "FAILED_WITH_ERROR"
    assert "invalid identifier 'NOTHING'" in message


def test_asynchronous_statements_run_finish_and_are_cancelled(cortex_emulator, session, rows):
    """A cancelled one is identified by its message, as documented, and not by its status."""
    cortex_emulator.query_life = Life.by_looks(1)
    statements = "SELECT 1", "SELECT 2", "SELECT 3"
    ids = [session.cursor().execute_async(sql)["queryId"] for sql in statements]
    history = select(
        "query_id, execution_status, error_message", rest="WHERE query_text LIKE '_ELECT _'"
    )
    assert rows(history) == [(query_id, "RUNNING", None) for query_id in reversed(ids)]
    cortex_emulator.queries.cancel(ids[1])
    session.get_query_status(ids[2])
    assert rows(history) == [
        (ids[2], "SUCCESS", None),
        (ids[1], "FAILED_WITH_ERROR", "SQL execution canceled"),
        (ids[0], "RUNNING", None),
    ]


def test_the_limit_comes_before_the_condition(cortex_emulator, session, rows):
    """As documented; statements that still run are the first to be in it."""
    cortex_emulator.query_life = Life.by_time(3600)
    session.cursor().execute_async("SELECT 'slow'")
    for _ in range(3):
        rows("SELECT 1")
    texts = [text for (text,) in rows(select("query_text", "RESULT_LIMIT => 3", rest=""))]
    assert [text[:8] for text in texts] == ["SELECT q", "SELECT 1", "SELECT '"]
    assert rows(select("query_text", "RESULT_LIMIT => 1")) == []


def test_without_a_limit_it_has_100_statements(rows):
    """That is Snowflake's default."""
    for number in range(101):
        rows(f"SELECT {number}")
    assert rows(select("COUNT(*)", rest="")) == [(100,)]
    assert rows(select("COUNT(*)", "RESULT_LIMIT => 10000", rest="")) == [(103,)]


def test_it_has_the_statements_of_one_user(connect, rows):
    """By default the session's; a name in quotes keeps its case."""
    other = connect(user="anna")
    other.cursor().execute("SELECT 'hers'")
    assert rows(select("query_text")) == []
    for name in "'anna'", "'\"ANNA\"'":
        assert rows(select("query_text", f"USER_NAME => {name}")) == [("SELECT 'hers'",)]
        assert rows(select("query_text", name)) == [("SELECT 'hers'",)]
    assert rows(select("query_text", "USER_NAME => '\"anna\"'")) == []
    assert rows(select("MIN(user_name)", "USER_NAME => CURRENT_USER()", rest="")) == [("EMULATOR",)]


def test_a_range_is_about_the_end(cortex_emulator, session, rows):
    """Statements that run have no end: with an end of the range they are left out."""
    cortex_emulator.query_life = Life.by_time(3600)
    session.cursor().execute_async("SELECT 'slow'")
    rows("SELECT 'before'")
    ((now,),) = rows("SELECT CURRENT_TIMESTAMP()")
    rows("SELECT 'after'")
    where = "WHERE query_text LIKE '%''%' AND NOT CONTAINS(query_text, 'HISTORY')"
    start, end = f"END_TIME_RANGE_START => '{now}'", f"END_TIME_RANGE_END => '{now}'"
    assert rows(select("query_text", start, rest=where)) == [
        ("SELECT 'after'",),
        ("SELECT 'slow'",),
    ]
    assert rows(select("query_text", end, rest=where)) == [("SELECT 'before'",)]
    yesterday = "END_TIME_RANGE_START => DATEADD('day', -1, CURRENT_TIMESTAMP())"
    until_now = "END_TIME_RANGE_END => CURRENT_TIMESTAMP()"
    assert len(rows(select("query_text", yesterday, rest=where))) == 3
    assert len(rows(select("query_text", yesterday, until_now, rest=where))) == 2


INVALID = {
    "RESULT_LIMIT => 0": 1008,
    "RESULT_LIMIT => 10001": 1008,
    "RESULT_LIMIT => 'many'": 1008,
    "END_TIME_RANGE_START => 'yesterday'": 1008,
    "END_TIME_RANGE_START => DATEADD('day', -8, CURRENT_TIMESTAMP())": 1008,
    "LIMIT => 1": 1044,
}


def test_other_arguments_are_rejected(rows):
    """The range must be within the last seven days, the limit from 1 to 10,000."""
    for argument, errno in INVALID.items():
        with pytest.raises(ProgrammingError) as caught:
            rows(select("*", argument))
        assert caught.value.errno == errno, argument


def test_the_name_needs_a_database(connect, rows):
    """It is the one of the name, or else the session's."""
    for name in "cortex_db.information_schema", "Information_Schema":
        assert rows(f"SELECT COUNT(*) > 0 FROM TABLE({name}.query_history_by_user()) AS h") == [
            (True,)
        ]
    for name in "TABLE(missing.INFORMATION_SCHEMA.", "TABLE(":
        with pytest.raises(ProgrammingError, match=r"MISSING|Unknown function"):
            rows(f"SELECT * FROM {name}QUERY_HISTORY_BY_USER())")
    homeless = connect(database=None, schema=None)
    with pytest.raises(ProgrammingError, match="does not have a current database"):
        homeless.cursor().execute(select("*"))


def test_it_is_a_table_as_any_other(rows):
    """It can be joined, grouped, ordered and kept."""
    rows("SELECT 1")
    rows(f"CREATE TABLE kept AS {select('query_tag, COUNT(*) AS n', rest='GROUP BY query_tag')}")
    assert rows("SELECT * FROM kept") == [("weekly", 2)]
    joined = f"FROM kept JOIN {HISTORY.format('')} AS h ON kept.query_tag = h.query_tag"
    assert rows(f"SELECT h.query_text {joined} ORDER BY h.start_time LIMIT 1") == [("SELECT 1",)]
