"""Datasets and their versions, with the unmodified driver."""

import datetime as dt

import pytest
from snowflake.connector import DictCursor
from snowflake.connector.errors import ProgrammingError

ADD = "ALTER DATASET ds ADD VERSION"


@pytest.fixture
def session(connect):
    session = connect()
    session.cursor().execute("CREATE DATASET ds")
    return session


def run(session, sql, *values):
    return session.cursor().execute(sql, values or None).fetchall()


def records(session, sql):
    """Return the rows as dictionaries."""
    return session.cursor(DictCursor).execute(sql).fetchall()


def versions(session, clauses=""):
    return [record["version"] for record in records(session, f"SHOW VERSIONS {clauses}")]


def datasets(session, clauses=""):
    return [record["name"] for record in records(session, f"SHOW DATASETS {clauses}")]


def errno(session, sql):
    """Return the number of the error with which a statement fails."""
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute(sql)
    return caught.value.errno


def test_a_dataset_is_created_once(session):
    """Unless the statement allows it to exist, before or after the word DATASET."""
    exists = [("DS already exists, statement succeeded.",)]
    assert run(session, "CREATE DATASET IF NOT EXISTS cortex_db.public.ds") == exists
    assert run(session, "CREATE IF NOT EXISTS DATASET DS") == exists
    assert errno(session, "CREATE DATASET ds") == 2002
    run(session, f"{ADD} 'v1' FROM (SELECT 1 AS a)")
    run(session, "CREATE OR REPLACE DATASET ds")
    assert versions(session, "IN DATASET ds") == []


def test_a_dropped_dataset_is_gone(session):
    """With its versions."""
    assert run(session, "DROP DATASET ds") == [("DS successfully dropped.",)]
    assert errno(session, "DROP DATASET ds") == 2003
    run(session, "DROP DATASET IF EXISTS ds")
    assert errno(session, "SHOW VERSIONS IN DATASET ds") == 2043
    assert errno(session, f"{ADD} 'v1' FROM (SELECT 1 AS a)") == 399019


def test_a_version_has_a_comment_and_metadata(session):
    """In the columns that Snowflake's own Python package reads."""
    run(
        session,
        f"""{ADD} %s FROM (SELECT '(' AS a, ")" FROM (SELECT 1 AS ")") -- )
        ) PARTITION BY a COMMENT = %s METADATA=$${{"it's": ")"}}$$""",
        "v(1)",
        "it's (mine)",
    )
    (record,) = records(session, "SHOW VERSIONS IN DATASET ds")
    assert isinstance(record.pop("created_on"), dt.datetime)
    assert record == {"version": "v(1)", "comment": "it's (mine)", "metadata": '{"it\'s": ")"}'}


def test_versions_are_found_by_name(session):
    """LIKE ignores the case, which else matters; LIMIT keeps the oldest."""
    for name in ("v1", "V1", "v2"):
        run(session, f"{ADD} '{name}' FROM (SELECT 1 AS a)")
    assert versions(session, "LIKE 'v1' IN DATASET ds") == ["v1", "V1"]
    assert versions(session, "IN DATASET cortex_db.public.ds LIMIT 2") == ["v1", "V1"]
    run(session, "ALTER DATASET ds DROP VERSION 'v1'")
    assert versions(session, "IN DATASET ds") == ["V1", "v2"]
    assert errno(session, "ALTER DATASET ds DROP VERSION 'v1'") == 399012


@pytest.mark.parametrize(
    ("rest", "number"),
    [
        ("'v1' FROM (SELECT 1 AS a)", 399020),
        ("'v2' FROM (SELECT a FROM unknown)", 2003),
        ("'v2' FROM (SELECT 1", 1003),
        ("'v2' FROM (SELECT 1) UNKNOWN = 1", 1003),
    ],
)
def test_a_version_that_cannot_be_added_is_not_there(session, rest, number):
    """A version of this name exists, or the statement is wrong."""
    run(session, f"{ADD} 'v1' FROM (SELECT 1 AS a)")
    assert errno(session, f"{ADD} {rest}") == number
    assert versions(session, "IN DATASET ds") == ["v1"]


def test_datasets_are_shown_with_the_usual_clauses(session):
    """Those of the schema in use, or others."""
    run(session, "CREATE DATASET other")
    run(session, "CREATE SCHEMA s")
    run(session, "CREATE DATASET third")
    assert datasets(session) == ["THIRD"]
    assert datasets(session, "IN ACCOUNT") == ["DS", "OTHER", "THIRD"]
    assert datasets(session, "LIKE 'd%' IN SCHEMA cortex_db.public") == ["DS"]
    assert datasets(session, "IN SCHEMA public STARTS WITH 'O' LIMIT 1") == ["OTHER"]
    run(session, "DROP SCHEMA s")
    assert datasets(session, "IN ACCOUNT") == ["DS", "OTHER"]


def test_a_version_can_be_added_asynchronously(session):
    """As by a task that waits in the triggerer."""
    query_id = session.cursor().execute_async(f"{ADD} 'v1' FROM (SELECT 1 AS a)")["queryId"]
    session.cursor().get_results_from_sfqid(query_id)
    while session.is_still_running(session.get_query_status_throw_if_error(query_id)):
        pass
    assert versions(session, "IN DATASET ds") == ["v1"]
