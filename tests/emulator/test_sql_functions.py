"""Functions that users define in SQL."""

from datetime import UTC, datetime

import pytest
from snowflake.connector import DictCursor
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


SHOWN = """
CREATE FUNCTION one() RETURNS INT AS '1';
CREATE FUNCTION "Two"(x STRING, y DOUBLE DEFAULT 1) RETURNS TEXT
    COMMENT = 'it''s AS $$ \\\\ two' AS $$ x $$;
CREATE SCHEMA other;
CREATE FUNCTION one(x INT) RETURNS INT COMMENT = $$ x AS 'y' $$ AS 'x';
CREATE DATABASE db;
CREATE FUNCTION db.public.three() RETURNS INT AS '3';
"""

SCOPES = {
    "IN ACCOUNT": [
        "CORTEX_DB.OTHER.ONE",
        "CORTEX_DB.PUBLIC.ONE",
        "CORTEX_DB.PUBLIC.Two",
        "DB.PUBLIC.THREE",
    ],
    "LIKE 't%' IN ACCOUNT": ["CORTEX_DB.PUBLIC.Two", "DB.PUBLIC.THREE"],
    "IN DATABASE cortex_db": [
        "CORTEX_DB.OTHER.ONE",
        "CORTEX_DB.PUBLIC.ONE",
        "CORTEX_DB.PUBLIC.Two",
    ],
    "LIKE 'o_e' IN SCHEMA cortex_db.public": ["CORTEX_DB.PUBLIC.ONE"],
    "IN SCHEMA": ["DB.PUBLIC.THREE"],
    "": ["DB.PUBLIC.THREE"],
    "LIKE 'none'": [],
}


def test_functions_are_listed_with_their_comments(connect):
    """In a schema, a database or the account, with names as Snowflake stores them."""
    session = connect()
    run(session, SHOWN)
    cursor = session.cursor(DictCursor)
    for scope, expected in SCOPES.items():
        found = cursor.execute(f"SHOW USER FUNCTIONS {scope}").fetchall()
        assert [f"{f['catalog_name']}.{f['schema_name']}.{f['name']}" for f in found] == expected
    found = cursor.execute("SHOW USER FUNCTIONS IN DATABASE cortex_db").fetchall()
    assert [(f["arguments"], f["description"]) for f in found] == [
        ("ONE(NUMBER) RETURN NUMBER", " x AS 'y' "),
        ("ONE() RETURN NUMBER", "user-defined function"),
        ("Two(VARCHAR, DEFAULT FLOAT) RETURN VARCHAR", "it's AS $$ \\ two"),
    ]
    assert {f["created_on"].date() for f in found} <= {datetime.now(UTC).date()}


def grants(session, what):
    """Return who may do what with an object."""
    rows = session.cursor(DictCursor).execute(f"SHOW GRANTS ON {what}").fetchall()
    return [(row["privilege"], row["grantee_name"]) for row in rows]


def test_grants_on_a_function_are_kept_by_copy_grants(connect):
    """Without it, OR REPLACE makes a new function that only its owner may use."""
    session = connect()
    create = "CREATE OR REPLACE FUNCTION f(x VARCHAR) {} RETURNS VARCHAR {} AS 'x'"
    run(session, create.format("", ""))
    run(session, "GRANT USAGE ON FUNCTION f(STRING) TO ROLE app WITH GRANT OPTION")
    run(session, "GRANT USAGE, OWNERSHIP ON FUNCTION f(STRING) TO ROLE b")
    run(session, "REVOKE OWNERSHIP ON FUNCTION f(STRING) FROM ROLE b")
    both = [("USAGE", "APP"), ("USAGE", "B")]
    for options in ("COPY GRANTS", ""), ("", "COPY  grants"), ("COPY GRANTS", "COMMENT = 'x'"):
        run(session, create.format(*options))
        assert grants(session, "FUNCTION cortex_db.public.f(VARCHAR)") == both
    run(session, create.format("", "COMMENT = 'COPY GRANTS'"))
    assert grants(session, "FUNCTION f(VARCHAR)") == []


def test_grants_on_a_model_end_with_it(cortex_emulator, connect):
    """A model that gets its name later has none of them."""
    session = connect()
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.triage")
    run(session, "GRANT USAGE ON MODEL triage TO ROLE app")
    run(session, 'GRANT READ ON MODEL cortex_db.public."TRIAGE" TO "my role"')
    assert grants(session, "MODEL triage") == [("READ", "my role"), ("USAGE", "APP")]
    run(session, "DROP MODEL triage")
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.triage")
    assert grants(session, "MODEL triage") == []


def test_only_what_exists_can_be_granted(cortex_emulator, connect):
    """A model or a function; other objects are not checked."""
    session = connect()
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.triage")
    run(session, "CREATE FUNCTION f(x INT) RETURNS INT AS 'x'")
    for sql in (
        "GRANT USAGE ON MODEL triage_1 TO ROLE app",
        "REVOKE USAGE ON MODEL other.triage FROM ROLE app",
        "GRANT USAGE ON FUNCTION f(VARCHAR) TO ROLE app",
        "GRANT USAGE ON FUNCTION g() TO ROLE app",
        "SHOW GRANTS ON MODEL triage_1",
        "SHOW GRANTS ON FUNCTION f()",
    ):
        assert errno(session, sql) == 2003, sql
    run(session, "GRANT USAGE ON FUTURE MODELS IN SCHEMA public TO ROLE app")
    run(session, "GRANT USAGE ON ALL FUNCTIONS IN SCHEMA public TO ROLE app")
