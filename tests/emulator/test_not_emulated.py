"""What the emulator does not have, it says."""

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.not_emulated import FEATURES

STATEMENTS = {
    "stored procedures": (
        "CREATE OR REPLACE PROCEDURE p(a INT) RETURNS INT LANGUAGE SQL AS $$ BEGIN END $$",
        "CALL db.s.p(1)",
        "DROP PROCEDURE p(INT)",
    ),
    "Snowflake Scripting": (
        "EXECUTE IMMEDIATE $$ BEGIN RETURN 1; END $$",
        "BEGIN RETURN 1; END",
        "DECLARE x INT; BEGIN RETURN 1; END",
    ),
    "functions in Python, Java, JavaScript or Scala": (
        """CREATE FUNCTION f(x INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11'
        HANDLER = 'f' AS $$\ndef f(x):\n    return 'LANGUAGE SQL'\n$$""",
        "CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS 'return 1'",
    ),
    "functions that return a table": ("CREATE FUNCTION f() RETURNS TABLE (a INT) AS 'SELECT 1'",),
    "external functions": (
        "CREATE EXTERNAL FUNCTION f(x INT) RETURNS INT API_INTEGRATION = a AS 'https://x'",
    ),
    "data metric functions": ("CREATE DATA METRIC FUNCTION f(t TABLE(a INT)) RETURNS INT AS '1'",),
    "changing and describing functions, and listing built-in ones": (
        "DESCRIBE FUNCTION f(INT)",
        "SHOW FUNCTIONS LIKE 'a%'",
    ),
    "tasks": ("CREATE TASK t SCHEDULE = '1 minute' AS SELECT 1", "EXECUTE TASK t"),
    "alerts": ("CREATE ALERT a IF (EXISTS (SELECT 1)) THEN INSERT INTO t VALUES (1)",),
    "streams": ("CREATE STREAM s ON TABLE t", "-- all of them\nSHOW STREAMS"),
    "pipes": ("CREATE PIPE p AS COPY INTO t FROM @s",),
    "dynamic tables": ("CREATE OR REPLACE DYNAMIC TABLE t TARGET_LAG = '1 day' AS SELECT 1",),
    "external, Iceberg, hybrid, interactive and event tables": (
        "CREATE ICEBERG TABLE t (a INT)",
        "CREATE EXTERNAL TABLE t LOCATION = @s FILE_FORMAT = (TYPE = CSV)",
    ),
    "semantic views": ("CREATE SEMANTIC VIEW v TABLES (t)",),
    "stages and files outside the emulator": (
        "CREATE STAGE s FILE_FORMAT = f URL = 's3://bucket/'",
        "COPY INTO t FROM 's3://bucket/file.csv'",
    ),
    "unloading tables into files": (
        "COPY INTO @s FROM t",
        "COPY INTO 's3://b/' FROM t",
        "GET @s file:///tmp/",
    ),
    "dropping stages, and changing them except for their directory tables": (
        "DROP STAGE IF EXISTS s",
        "ALTER STAGE s SET COMMENT = 'REFRESH'",
        "REMOVE @s",
    ),
    "changing and dropping file formats": ("DROP FILE FORMAT f",),
    "integrations": (
        "CREATE OR REPLACE API INTEGRATION i API_PROVIDER = git_https_api ENABLED = TRUE",
        "CREATE STORAGE INTEGRATION i TYPE = EXTERNAL_STAGE",
    ),
    "network rules": ("CREATE NETWORK RULE r MODE = EGRESS TYPE = HOST_PORT VALUE_LIST = ('x')",),
    "policies": (
        "CREATE ROW ACCESS POLICY p AS (v STRING) RETURNS BOOLEAN -> TRUE",
        "CREATE NETWORK POLICY p ALLOWED_IP_LIST = ('192.0.2.1')",
        "ALTER TABLE t MODIFY COLUMN a SET MASKING POLICY p",
    ),
    "secrets": ("CREATE SECRET s TYPE = GENERIC_STRING SECRET_STRING = 'x'",),
    "Git repositories": ("CREATE GIT REPOSITORY g API_INTEGRATION = a ORIGIN = 'https://x'",),
    "Cortex Search services": (
        "CREATE CORTEX SEARCH SERVICE s ON c WAREHOUSE = w TARGET_LAG = '1 day' AS (SELECT 1)",
    ),
    "Cortex agents and MCP servers": ("CREATE AGENT a FROM SPECIFICATION $$ x $$",),
    "Streamlit apps and notebooks": (
        "CREATE STREAMLIT s ROOT_LOCATION = '@a' MAIN_FILE = 'x.py'",
        "CREATE NOTEBOOK n",
    ),
    "Snowpark Container Services": (
        "CREATE COMPUTE POOL p MIN_NODES = 1",
        "CREATE IMAGE REPOSITORY r",
    ),
    "native apps": ("CREATE APPLICATION PACKAGE p",),
    "shares, listings and replication": (
        "CREATE SHARE s",
        "CREATE DATABASE d FROM SHARE provider.s",
    ),
    "clones of databases and schemas": ("CREATE DATABASE d CLONE cortex_db",),
    "renaming and swapping databases and schemas": ("ALTER DATABASE cortex_db RENAME TO d",),
    "restoring what was dropped": ("UNDROP TABLE t",),
    "lists of grants, except on a model or a function": (
        "SHOW GRANTS TO ROLE r",
        "SHOW FUTURE GRANTS IN SCHEMA s",
    ),
    "resource monitors and budgets": ("CREATE RESOURCE MONITOR m WITH CREDIT_QUOTA = 1",),
    "accounts and organizations": ("CREATE ACCOUNT a ADMIN_NAME = b",),
    "the rest of the model registry, and machine learning": (
        "CREATE MODEL m FROM MODEL n",
        "CREATE SNOWFLAKE.ML.CLASSIFICATION c(INPUT_DATA => TABLE(t))",
    ),
    "query plans": ("EXPLAIN SELECT 1",),
}


def test_each_feature_has_an_example_here():
    """So no row of the table is untested."""
    assert STATEMENTS.keys() == FEATURES.keys()


def test_what_is_not_emulated_fails_and_says_so(connect):
    """With an SQL error: neither a parser's, nor an HTTP 500, nor success without an effect."""
    session = connect()
    for feature, statements in STATEMENTS.items():
        for sql in statements:
            with pytest.raises(ProgrammingError) as caught:
                session.cursor().execute(sql)
            assert (caught.value.errno, caught.value.sqlstate) == (2, "0A000"), sql
            assert f"does not emulate {feature}. " in str(caught.value), sql


def test_statements_that_only_look_like_these_succeed(connect):
    """Comments, text and names of columns are not searched for features."""
    session = connect()
    for sql in (
        "CREATE TABLE task (call VARCHAR, policy INT) COMMENT = 'CREATE TASK'",
        "/* CALL p() */ SELECT 'EXECUTE IMMEDIATE', call FROM task -- UNDROP",
        "CREATE FUNCTION f() RETURNS VARCHAR AS $$ 'LANGUAGE PYTHON' $$",
        "CREATE STAGE url",
        "BEGIN",
        "COMMIT",
        "BEGIN TRANSACTION",
        "ROLLBACK",
    ):
        session.cursor().execute(sql)
