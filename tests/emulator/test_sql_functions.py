"""Functions that users define in SQL."""

import pytest
from snowflake.connector.errors import ProgrammingError

from tests.emulator.test_setup_scripts import errno, run

DEFINITIONS = """
CREATE TABLE tickets (request VARCHAR, label VARCHAR);
INSERT INTO tickets VALUES ('Where is it?', 'shipping'), ('Broken', 'shipping'), ('Why?', 'bug');
CREATE FUNCTION twice(x FLOAT) RETURNS FLOAT AS $$ x * 2 $$;
CREATE OR REPLACE SECURE FUNCTION cortex_db.public.area(width NUMBER(10, 2), height NUMBER(10, 2))
    RETURNS NUMBER(20, 2) NOT NULL LANGUAGE SQL IMMUTABLE MEMOIZABLE COMMENT = 'width AS height'
    AS 'width * height';
CREATE FUNCTION area(radius FLOAT) RETURNS FLOAT AS $$ PI() * radius * radius $$;
CREATE FUNCTION greet(name STRING, greeting STRING DEFAULT 'Hello') RETURNS STRING
    AS $$ greeting || ', ' || name $$;
CREATE FUNCTION count_of(l VARCHAR) RETURNS NUMBER AS $$
    -- Of one label.
    SELECT COUNT(*) FROM tickets WHERE label = l
$$;
CREATE FUNCTION twice_of(l VARCHAR) RETURNS NUMBER AS $$ twice(count_of(l)) $$;
CREATE FUNCTION field(v VARIANT) RETURNS VARIANT AS $$ v:a $$;
CREATE FUNCTION answer(prompt VARCHAR) RETURNS VARCHAR
    AS $$ SNOWFLAKE.CORTEX.COMPLETE('triage', greet(prompt, 'Sort')) $$;
"""

CALLS = {
    "SELECT twice(2), twice('1.5'), twice(NULL)": [(4.0, 3.0, None)],
    "SELECT TWICE(x => twice(1)) + 1 AS y": [(5.0,)],
    "SELECT area(2, 3)::INT, area(1) > 3.14": [(6, True)],
    "SELECT greet('you'), greet('you', 'Bye'), greet(greeting => 'x', name => 'y')": [
        ("Hello, you", "Bye, you", "x, y")
    ],
    "SELECT cortex_db.public.twice(1), public.twice(2)": [(2.0, 4.0)],
    "SELECT count_of('shipping'), twice_of('bug')": [(2, 2)],
    "SELECT label, count_of(label) FROM tickets GROUP BY label ORDER BY 1": [
        ("bug", 1),
        ("shipping", 2),
    ],
    """SELECT field(PARSE_JSON('{"a": "b"}'))::VARCHAR""": [("b",)],
    "SELECT answer('invoice')": [("billing",)],
    "SELECT request FROM tickets WHERE greet(request) = 'Hello, Why?'": [("Why?",)],
}


def test_sql_functions_answer(cortex_emulator, connect):
    """With one expression or a query, which may call Cortex and other functions."""
    cortex_emulator.jobs.add(
        model="CORTEX_DB.PUBLIC.TRIAGE",
        pairs=(("Sort, invoice", "billing"), ("Sort, parcel", "shipping")),
    )
    session = connect()
    run(session, DEFINITIONS)
    assert {sql: run(session, sql) for sql in CALLS} == CALLS
    assert session.cursor().execute("SELECT twice(1)").description[0].name == "TWICE(1)"


def test_a_function_belongs_to_its_schema(connect):
    """Its tables are found from every schema; the function itself only by its qualified name."""
    session = connect()
    run(session, DEFINITIONS + "CREATE SCHEMA other")
    assert run(session, "SELECT public.twice_of('bug')") == [(2,)]
    assert errno(session, "SELECT twice_of('bug')") == 2003


ERRORS = {
    "CREATE FUNCTION twice(y DOUBLE) RETURNS FLOAT AS 'y'": 2002,
    "CREATE FUNCTION twice(y VARCHAR) RETURNS FLOAT AS 'y'": 2,
    "CREATE FUNCTION bad(x INT) RETURNS INT AS $$ x * $$": 1003,
    "CREATE FUNCTION bad(x INT) RETURNS INT AS $$ 1 FROM tickets $$": 1003,
    "CREATE FUNCTION bad(x INT) RETURNS INT AS $$ BEGIN RETURN 1; END $$": 2,
    "SELECT twice(1, 2)": 1044,
    "SELECT twice(nothing => 1)": 1044,
    "SELECT twice(nothing)": 904,
    "DROP FUNCTION twice(VARCHAR)": 2003,
    "SELECT endless(1)": 2,
}


def test_mistakes_in_functions_are_sql_errors(connect):
    """In their definitions and in their calls, with Snowflake's numbers where it has the same."""
    session = connect()
    run(session, DEFINITIONS + "CREATE FUNCTION endless(x INT) RETURNS INT AS 'endless(x)'")
    assert {sql: errno(session, sql) for sql in ERRORS} == ERRORS


def test_functions_are_replaced_and_dropped_by_their_signature(connect):
    """Other functions with the same name stay."""
    session = connect()
    run(session, DEFINITIONS)
    assert run(session, "CREATE FUNCTION IF NOT EXISTS twice(x FLOAT) RETURNS FLOAT AS '0'") == [
        ("TWICE already exists, statement succeeded.",)
    ]
    run(session, "CREATE OR REPLACE FUNCTION twice(x REAL) RETURNS FLOAT AS 'x + x + 1'")
    assert run(session, "SELECT twice(1)") == [(3.0,)]
    run(session, "DROP FUNCTION area(DOUBLE); DROP FUNCTION IF EXISTS area(DOUBLE)")
    assert run(session, "SELECT area(2, 2)::INT") == [(4,)]
    with pytest.raises(ProgrammingError, match="AREA"):
        session.cursor().execute("SELECT area(2)")
