"""Setup scripts in the shape of Snowflake's quickstarts, statement by statement."""

import pytest
from snowflake.connector.errors import ProgrammingError

SETUP = """
-- Run this script as an administrator.
USE ROLE accountadmin;

/* Who may do what; and the compute
   that it runs on. */
CREATE ROLE IF NOT EXISTS triage_rl COMMENT = 'sorts support tickets';
GRANT DATABASE ROLE SNOWFLAKE.CORTEX_USER TO ROLE triage_rl;
GRANT ROLE triage_rl TO ROLE sysadmin;
CREATE USER IF NOT EXISTS triage_svc TYPE = SERVICE DEFAULT_ROLE = triage_rl;
GRANT ROLE triage_rl TO USER triage_svc;
ALTER USER triage_svc SET DEFAULT_WAREHOUSE = triage_wh;
ALTER ACCOUNT SET CORTEX_ENABLED_CROSS_REGION = 'ANY_REGION';
CREATE OR REPLACE WAREHOUSE triage_wh WITH
    WAREHOUSE_SIZE = 'SMALL'
    AUTO_SUSPEND = 60
    INITIALLY_SUSPENDED = TRUE;
ALTER WAREHOUSE triage_wh RESUME IF SUSPENDED;
GRANT USAGE, OPERATE ON WAREHOUSE triage_wh TO ROLE triage_rl WITH GRANT OPTION;

CREATE OR REPLACE DATABASE triage_db;
CREATE OR REPLACE SCHEMA triage_db.tickets WITH MANAGED ACCESS;
GRANT OWNERSHIP ON DATABASE triage_db TO ROLE triage_rl COPY CURRENT GRANTS;
GRANT ALL ON FUTURE TABLES IN SCHEMA triage_db.tickets TO ROLE triage_rl;
GRANT CREATE MODEL ON SCHEMA triage_db.tickets TO ROLE triage_rl;
REVOKE USAGE ON DATABASE triage_db FROM ROLE public;

USE ROLE triage_rl;
USE SECONDARY ROLES NONE;
USE WAREHOUSE triage_wh;
USE triage_db.tickets;
ALTER SESSION SET TIMEZONE = 'UTC';

CREATE OR REPLACE TABLE raw (id INT, request STRING, details VARIANT);
INSERT INTO raw
    SELECT $1, $2, PARSE_JSON($3)
    FROM VALUES
        (1, 'The bill is too high', '{"label": "billing"}'),
        (2, 'I lost my phone', '{"label": "lost phone"}'),
        (3, 'Please close my account', '{"label": "closing"}');

CREATE OR REPLACE FUNCTION prompt_for(request STRING)
RETURNS STRING
LANGUAGE SQL
COMMENT = 'what the model is asked'
AS
$$
    -- The same for training and use.
    CONCAT('Sort this ticket; answer with one label.

ticket: ', request)
$$;

CREATE OR REPLACE TABLE training AS (
    SELECT prompt_for(request) AS prompt, details:label::STRING AS completion FROM raw
);
SELECT SNOWFLAKE.CORTEX.FINETUNE(
    'CREATE', 'triage_db.tickets.sorter', 'llama3-8b',
    'SELECT prompt, completion FROM triage_db.tickets.training'
);
SET model = 'sorter';
SELECT id, TRIM(SNOWFLAKE.CORTEX.COMPLETE($model, prompt_for(request))) AS label
    FROM raw ORDER BY id;
"""

CLEAN_UP = """
USE ROLE accountadmin;
DROP DATABASE IF EXISTS triage_db;
DROP WAREHOUSE IF EXISTS triage_wh;
DROP USER IF EXISTS triage_svc;
DROP ROLE triage_rl;
"""


def run(session, script):
    """Execute a script, and return the rows of its last statement."""
    return list(session.execute_string(script))[-1].fetchall()


def errno(session, sql):
    """Return the number of the error with which a statement fails."""
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute(sql)
    return caught.value.errno


def one_row(session, sql):
    (row,) = session.cursor().execute(sql).fetchall()
    return row


def test_a_quickstart_runs_from_its_setup_to_the_tuned_model(connect):
    """Its roles, warehouse, database, grants, function and data exist, and so it can run again."""
    session = connect()
    labels = [(1, "billing"), (2, "lost phone"), (3, "closing")]
    assert run(session, SETUP) == labels
    assert run(session, CLEAN_UP) == [("TRIAGE_RL successfully dropped.",)]
    assert run(session, SETUP) == labels


def test_what_was_created_last_is_in_use(connect):
    """As in Snowflake: the session's functions and the connection's attributes agree."""
    session = connect()
    run(session, "CREATE WAREHOUSE wh; CREATE DATABASE db; CREATE SCHEMA db.s;")
    assert one_row(session, "SELECT CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()") == (
        "WH",
        "DB",
        "S",
    )
    assert (session.warehouse, session.database, session.schema) == ("WH", "DB", "S")


USES = {
    "USE ROLE analyst": ("CURRENT_ROLE()", "role", "ANALYST"),
    'USE ROLE "my role"': ("CURRENT_ROLE()", "role", "my role"),
    "/* big */ use warehouse big": ("CURRENT_WAREHOUSE()", "warehouse", "BIG"),
    "USE WAREHOUSE IDENTIFIER($wh)": ("CURRENT_WAREHOUSE()", "warehouse", "SMALL"),
    "USE cortex_db.public": ("CURRENT_DATABASE()", "database", "CORTEX_DB"),
    "USE SCHEMA db.s": ("CURRENT_SCHEMA()", "schema", "S"),
    "USE DATABASE cortex_db": ("CURRENT_DATABASE()", "database", "CORTEX_DB"),
    "USE DATABASE db": ("CURRENT_SCHEMA()", "schema", "PUBLIC"),
    "USE SCHEMA s": ("CURRENT_SCHEMA()", "schema", "S"),
    "USE db": ("CURRENT_SCHEMA()", "schema", "PUBLIC"),
    "USE db.s": ("CURRENT_SCHEMA()", "schema", "S"),
}


def test_use_changes_session_and_connection(connect):
    """Each form of USE shows in the CURRENT_ function, and in the driver's attribute."""
    session = connect()
    run(session, "CREATE DATABASE db; CREATE SCHEMA s; SET wh = 'small'")
    for sql, (function, attribute, value) in USES.items():
        session.cursor().execute(sql)
        shown = one_row(session, f"SELECT {function}")
        assert (shown, getattr(session, attribute)) == ((value,), value), sql


def test_a_login_says_who_it_is(connect):
    """Its names are what the CURRENT_ functions return, as columns with these names."""
    session = connect(user="ann", role="analyst", warehouse="wh")
    assert (session.role, session.warehouse) == ("ANALYST", "WH")
    cursor = session.cursor().execute(
        "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_ACCOUNT()"
    )
    assert cursor.fetchall() == [("ANN", "ANALYST", "WH", "EMULATOR")]
    assert cursor.description[0].name == "CURRENT_USER()"


def test_what_is_dropped_is_gone(connect):
    """Nothing in a dropped database or schema comes back when its name is used again."""
    session = connect()
    for drop in (
        "CREATE OR REPLACE SCHEMA db.s",
        "DROP SCHEMA db.s",
        "DROP DATABASE db",
        "CREATE OR REPLACE DATABASE db",
    ):
        again = "CREATE DATABASE IF NOT EXISTS db; CREATE SCHEMA IF NOT EXISTS db.s; USE db.s;"
        things = "CREATE TABLE t (a INT); CREATE STAGE files;"
        run(session, f"{again} {things} CREATE FUNCTION one() RETURNS INT AS '1'")
        run(session, f"{drop}; {again} {things}")
        with pytest.raises(ProgrammingError, match="does not exist"):
            session.cursor().execute("SELECT one()")
        run(session, "DROP SCHEMA db.s")


def test_a_dropped_database_takes_its_models_along(cortex_emulator, connect):
    """So a model of the same name gets no suffix when a script runs again."""
    cortex_emulator.jobs.add(model="DB.PUBLIC.TRIAGE")
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.KEPT")
    session = connect()
    assert len(session.cursor().execute("SHOW MODELS IN ACCOUNT").fetchall()) == 2
    run(session, "CREATE DATABASE db; DROP DATABASE db")
    ((_, name, *_),) = session.cursor().execute("SHOW MODELS IN ACCOUNT").fetchall()
    assert name == "KEPT"


def test_a_session_survives_its_database(connect):
    """It has no current database any more, and says so."""
    session = connect()
    run(session, "DROP DATABASE cortex_db")
    assert one_row(session, "SELECT CURRENT_DATABASE(), 1") == (None, 1)
    with pytest.raises(ProgrammingError, match="does not have a current database"):
        session.cursor().execute("CREATE TABLE t (a INT)")


ERRORS = {
    "CREATE ROLE analyst": 2002,
    "CREATE WAREHOUSE wh": 2002,
    "CREATE DATABASE cortex_db": 2002,
    "CREATE DATABASE temp": 100035,
    "DROP ROLE unknown": 2003,
    "DROP DATABASE ROLE db.unknown": 2003,
    "DROP DATABASE unknown": 2003,
    "DROP DATABASE memory": 2003,
    'DROP DATABASE "_fs_global"': 2003,
    "DROP SCHEMA unknown": 2003,
    "DROP FUNCTION unknown(INT)": 2003,
    "USE DATABASE unknown": 2043,
    "USE SCHEMA unknown": 2043,
    "USE unknown.public": 2043,
}


def test_a_setup_statement_that_cannot_succeed_is_an_sql_error(connect):
    """What exists is not created again, and what does not exist is not dropped or used."""
    session = connect()
    run(session, "CREATE ROLE analyst; CREATE WAREHOUSE wh")
    assert {sql: errno(session, sql) for sql in ERRORS} == ERRORS


def test_scripts_can_be_written_to_run_twice(connect):
    """IF NOT EXISTS, OR REPLACE and IF EXISTS have Snowflake's effect and messages."""
    session = connect()
    for kind in ("ROLE", "WAREHOUSE", "USER", "DATABASE ROLE", "DATABASE"):
        statuses = {
            f"CREATE {kind} IF NOT EXISTS it": f"{kind.capitalize()} IT successfully created.",
            f"create {kind} if not exists it": "IT already exists, statement succeeded.",
            f"CREATE OR REPLACE {kind} it": f"{kind.capitalize()} IT successfully created.",
            f"DROP {kind} it": "IT successfully dropped.",
            f"DROP {kind} IF EXISTS it": (
                "Drop statement executed successfully (IT already dropped)."
            ),
        }
        assert {sql: one_row(session, sql)[0] for sql in statuses} == statuses


def test_warehouses_can_be_listed(connect):
    """SHOW has what was created, with size and comment, and marks the one in use."""
    session = connect(warehouse="login_wh")
    run(
        session,
        "CREATE WAREHOUSE big WAREHOUSE_SIZE = LARGE COMMENT = 'it''s big'; USE WAREHOUSE login_wh",
    )
    cursor = session.cursor().execute("SHOW WAREHOUSES")
    columns = [column.name for column in cursor.description]
    records = [dict(zip(columns, row, strict=True)) for row in cursor]
    assert [(r["name"], r["size"], r["comment"], r["is_current"]) for r in records] == [
        ("BIG", "LARGE", "it's big", "N"),
        ("LOGIN_WH", "X-Small", "", "Y"),
    ]
    assert session.cursor().execute("SHOW WAREHOUSES LIKE 'none%'").fetchall() == []
    assert session.cursor().execute("SHOW ROLES LIKE 'account%'").fetchall()


BY_POSITION = {
    "SELECT $1, $2 FROM VALUES (1, 'a'), (2, 'b')": [(1, "a"), (2, "b")],
    "SELECT v.$2 FROM VALUES (1, 'a') AS v": [("a",)],
    "SELECT v.column2, column1 FROM (VALUES (1, 'a')) v": [("a", 1)],
    "SELECT b, $1 FROM VALUES (1, 'a') AS v (a, b)": [("a", 1)],
    "SELECT $2 FROM VALUES (1, 'b'), (2, 'a') WHERE $1 < 3 ORDER BY $1 DESC": [("a",), ("b",)],
    "SELECT v.$1, w.$1 FROM VALUES (1) AS v JOIN VALUES (2) AS w": [(1, 2)],
    "SELECT MAX($1), $2 FROM VALUES (1, 'a'), (2, 'a') GROUP BY $2": [(2, "a")],
    "SELECT $2 FROM (SELECT * FROM VALUES (1, 'b'), (2, 'a')) ORDER BY $1": [("b",), ("a",)],
    "WITH t AS (SELECT $1 AS a FROM VALUES (1)) SELECT a FROM t": [(1,)],
}


def test_columns_may_be_named_by_their_position(connect):
    """$1, $2 and COLUMN1, COLUMN2, with and without the alias of the VALUES."""
    session = connect()
    assert {sql: run(session, sql) for sql in BY_POSITION} == BY_POSITION


def test_a_column_by_position_has_its_dollar_name(connect):
    """As Snowflake names it."""
    cursor = connect().cursor().execute("SELECT $2, $1 AS a FROM VALUES (1, 2)")
    assert [column.name for column in cursor.description] == ["$2", "A"]
