"""Whatever a client sends, the response is Snowflake's: drivers retry an HTTP 500 for minutes."""

import gzip
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError

from tests.emulator.client import send
from tests.emulator.test_http_guard import LOGIN, LOGIN_PATH

STATEMENT_PATH = "/queries/v1/query-request"

few = settings(max_examples=60, derandomize=True)


class Client:
    """Sends requests in one session."""

    def __init__(self, emulator):
        self._emulator = emulator
        self.headers = {}
        token = self.answer(LOGIN_PATH, LOGIN, databaseName="DB", schemaName="S")["data"]["token"]
        self.headers = {"Authorization": f'Snowflake Token="{token}"'}

    def answer(self, path, body, *, headers=(), **query):
        """Return the response, which must be one of Snowflake's."""
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        url = f"{path}?{urlencode(query)}"
        status, text = send(self._emulator, "POST", url, body, self.headers | dict(headers))
        assert status == 200, text
        answer = json.loads(text)
        assert answer["success"] is (answer.get("code") in {None, "333334"})
        return answer


@pytest.fixture
def client(cortex_emulator):
    return Client(cortex_emulator)


@pytest.fixture
def row(connect):
    """Execute a statement, and return its only row."""
    session = connect()

    def row(sql):
        (row,) = session.cursor().execute(sql).fetchall()
        return row

    return row


# Types are cast by DuckDB's own names where Snowflake has none.
RESULTS = {
    "HASH('a') > 0": True,
    "TRY_CAST(18446744073709551615 AS HUGEINT)": 18446744073709551615,
    "99999999999999999999999999999999999999": 10**38 - 1,
    "1::TINYINT": 1,
    "1.5::DECIMAL(4, 1)": Decimal("1.5"),
    "'inf'::FLOAT": float("inf"),
    "1::FLOAT4": 1.0,
    "TRUE": True,
    "'a'::BINARY": b"a",
    "NULL": None,
    "'2024-02-29'::DATE": date(2024, 2, 29),
    "'10:11:12.123456'::TIME": time(10, 11, 12, 123456),
    "'2024-02-29 10:11:12.5'::TIMESTAMP_NTZ": datetime.fromisoformat("2024-02-29T10:11:12.5"),
    "'1960-01-01 00:00:00.25'::TIMESTAMP_NTZ": datetime.fromisoformat("1960-01-01T00:00:00.25"),
    "'2024-02-29 10:00:00+02'::TIMESTAMP_TZ": datetime(2024, 2, 29, 8, tzinfo=UTC),
    "NULL::TIMESTAMP_NTZ": None,
    "NULL::TIMESTAMP_TZ": None,
    "NULL::TIME": None,
    "ARRAY_CONSTRUCT(1, NULL)": "[1,null]",
    "[1.5::DECIMAL(4, 1)]": "[1.5]",
    "['2024-02-29'::DATE]": '["2024-02-29"]',
    "OBJECT_CONSTRUCT('a', 1)": '{"a":1}',
    "PARSE_JSON('[1]')": "[1]",
    "struct_pack(a := 'ä')": '{"A":"ä"}',
    "'b'::ENUM('a', 'b')": "b",
    "uuid() = uuid()": False,
    "'00000000-0000-4000-8000-000000000000'::UUID": "00000000-0000-4000-8000-000000000000",
}


def test_every_type_of_result_is_returned(row):
    """Also those that only DuckDB has, because functions return them."""
    values = row("SELECT " + ", ".join(RESULTS))
    assert dict(zip(RESULTS, values, strict=True)) == RESULTS


def test_a_hash_is_returned(row):
    """It may be larger than the largest number of 64 bits with a sign."""
    assert row("SELECT HASH('a'), HASH('a') > 9223372036854775807")[1]


@pytest.mark.parametrize(
    ("value", "errno"),
    [
        ("INTERVAL '1 day'", 2040),
        ("'101'::BIT", 2040),
        ("1::UHUGEINT", 2040),
        ("170141183460469231731687303715884105727::HUGEINT", 100046),
    ],
)
def test_what_snowflake_cannot_return_is_an_sql_error(connect, value, errno):
    """The session remains usable."""
    session = connect()
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute(f"SELECT {value}")
    assert caught.value.errno == errno
    assert session.cursor().execute("SELECT 1").fetchall() == [(1,)]


def test_results_may_be_empty_and_have_the_same_column_twice(connect):
    """The description has every column."""
    cursor = connect().cursor().execute("SELECT 1 AS a, '2' AS a WHERE FALSE")
    assert cursor.fetchall() == []
    assert [column.name for column in cursor.description] == ["A", "A"]
    assert connect().cursor().execute("SELECT 1 AS a, '2' AS a").fetchall() == [(1, "2")]


VALUES = [
    *("1", "-1.50", "1e400", "'it''s'", "''", "NULL", "TRUE", "'2024-02-30'", "?", "$1", "*"),
    *("a", '"a"', "t.a", "t.*", "b:c[0].d::VARCHAR", "$$x$$", "'\\u0000'", "(SELECT 1)", "?::INT"),
    *("HASH('a')", "INTERVAL '1 day'", "CURRENT_TIMESTAMP()", "UUID_STRING()", "ARRAY_AGG(a)"),
    *("[1, 'a']", "{'a': [1]}", "OBJECT_CONSTRUCT('a', NULL)", "PARSE_JSON('{')", "COUNT(*)"),
    *("SNOWFLAKE.CORTEX.FINETUNE('SHOW')", "SNOWFLAKE.CORTEX.FINETUNE(1, 2)", "AI_COMPLETE()"),
    *("CASE WHEN a THEN b END", "ROW_NUMBER() OVER (ORDER BY 1)", "_cortex('[]')", "NOTHING(1)"),
]
TYPES = [
    *("INT", "NUMBER(38, 37)", "NUMBER(99)", "FLOAT", "VARCHAR(1)", "BINARY", "DATE", "TIME"),
    *("TIMESTAMP_TZ", "TIMESTAMP_NTZ(9)", "VARIANT", "ARRAY", "OBJECT", "BOOLEAN", "GEOGRAPHY"),
    *("VECTOR(FLOAT, 3)", "ENUM('a')", "HUGEINT", "UUID", "INTERVAL", "nothing"),
]
NAMES = [
    *("t", '"t"', '"a b"', '"x\'y"', "db.s.t", "a.b.c.d", '""', "@stage1", "@~", "DUAL", "v"),
    *("information_schema.tables", "TABLE(RESULT_SCAN(LAST_QUERY_ID()))", "VALUES (1, 'a')"),
    *("TABLE(GENERATOR(ROWCOUNT => 3))", "IDENTIFIER('t')", "LATERAL FLATTEN(INPUT => [1])"),
]
STATEMENTS = [
    *("SELECT {v}", "SELECT {v}, {w}::{t} AS a FROM {n}", "SELECT CAST({v} AS {t})"),
    "WITH q AS (SELECT {v} AS a) SELECT {w} FROM q, {n} WHERE a = {v} GROUP BY ALL LIMIT 1",
    *("SELECT {v} UNION ALL SELECT {w} ORDER BY 1", "SELECT * FROM {n} PIVOT(SUM(a) FOR a IN (1))"),
    *(
        "CREATE OR REPLACE TABLE {n} (a {t} DEFAULT {v}, b VARIANT)",
        "CREATE TABLE {n} AS SELECT {v}",
    ),
    *(
        "CREATE VIEW {n} AS SELECT {v}",
        "CREATE STAGE {n}",
        "CREATE SCHEMA {n}",
        "CREATE DATABASE {n}",
    ),
    *("INSERT INTO {n} VALUES ({v}, {w})", "UPDATE {n} SET a = {v} WHERE {w}", "DELETE FROM {n}"),
    "MERGE INTO {n} USING t ON a = {v} WHEN NOT MATCHED THEN INSERT VALUES (1)",
    *(
        "DROP TABLE {n}",
        "TRUNCATE TABLE {n}",
        "ALTER TABLE {n} ADD COLUMN c {t}",
        "DESCRIBE TABLE {n}",
    ),
    *("SHOW TABLES IN {n}", "SHOW MODELS LIKE {v}", "SHOW COLUMNS", "USE SCHEMA {n}", "LIST {n}"),
    *("PUT file:///nothing {n}", "GET {n} file:///nothing", "COPY INTO t FROM {n}", "REMOVE {n}"),
    *("SET x = {v}", "SELECT $x", "UNSET x", "ALTER SESSION SET TIMEZONE = {v}", "BEGIN", "COMMIT"),
    *(
        "ROLLBACK",
        "CALL {n}({v})",
        "EXPLAIN SELECT {v}",
        "EXECUTE IMMEDIATE {v}",
        "GRANT {n} TO {n}",
    ),
    *(
        "DROP MODEL {n}",
        "COMMENT ON TABLE {n} IS {v}",
        "{v}",
        "{n}",
        "SELECT {v} -- {n}",
        "{v};{w}",
    ),
    *(
        "CREATE FUNCTION f() RETURNS {t} AS {v}",
        "CREATE SEQUENCE {n}",
        "CREATE TASK {n} AS SELECT 1",
    ),
]
statements = st.builds(
    lambda statement, v, w, t, n: statement.format(v=v, w=w, t=t, n=n),
    *map(st.sampled_from, (STATEMENTS, VALUES, VALUES, TYPES, NAMES)),
)


def test_no_statement_is_an_http_500(client):
    """A statement succeeds, or is an SQL error; and the session survives."""

    @settings(few, max_examples=100)
    @given(sql=statements | st.text(max_size=9), describe=st.booleans())
    def check(sql, describe):
        client.answer(STATEMENT_PATH, {"sqlText": sql, "describeOnly": describe})

    check()
    client.answer(STATEMENT_PATH, {"sqlText": "ROLLBACK"})
    assert client.answer(STATEMENT_PATH, {"sqlText": "SELECT 1"})["success"]


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "1", "x", "OAUTH", "FIXED"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
bound = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["FIXED", "REAL", "TEXT", "BINARY", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_TZ", "ANY", 7]
        ),
        "value": st.sampled_from(["1", "-1", "x", "", "9" * 30, "1 2", None, ["1", "2"], [], 7]),
    },
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "sqlText": st.sampled_from(
            ["SELECT ?", "SELECT ?, ?", "INSERT INTO t VALUES (?)", 7, None]
        ),
        "bindings": odd | st.dictionaries(st.sampled_from("123x"), bound, max_size=2),
        "parameters": odd | st.fixed_dictionaries({"QUERY_TAG": odd}),
        "asyncExec": odd,
        "describeOnly": odd,
    },
)
logins = st.fixed_dictionaries(
    {},
    optional={
        "data": odd
        | st.fixed_dictionaries(
            {},
            optional={
                "AUTHENTICATOR": odd | st.just("PROGRAMMATIC_ACCESS_TOKEN"),
                "TOKEN": odd,
                "PASSWORD": odd,
                "SESSION_PARAMETERS": odd | st.fixed_dictionaries({"AUTOCOMMIT": odd}),
            },
        )
    },
)


def test_no_statement_s_body_is_an_http_500(client):
    """Wrong types, missing fields and wrong bound values are errors with a number."""

    @few
    @given(body=odd | bodies)
    def check(body):
        client.answer(STATEMENT_PATH, body)

    check()


def test_no_login_s_body_is_an_http_500(client, cortex_emulator):
    """Whatever the credentials are like, and whether they are checked or not."""

    @few
    @given(body=odd | logins, password=st.sampled_from([None, "x"]))
    @example(body={"data": {"AUTHENTICATOR": "OAUTH", "TOKEN": [1]}}, password=None)
    def check(body, password):
        cortex_emulator.password = cortex_emulator.token = password
        client.answer(LOGIN_PATH, body)

    check()


def test_a_body_that_is_not_json_is_rejected(client):
    """With the driver's number for a bad request."""
    zipped = {"Content-Encoding": "gzip"}
    wrong = [
        *[(body, {}) for body in (b"", b"{", b"\xff", b"[" * 100_000)],
        *[(body, zipped) for body in (b"{}", gzip.compress(b"{"), gzip.compress(b"{}")[:-4])],
    ]
    for body, headers in wrong:
        for path in LOGIN_PATH, STATEMENT_PATH:
            assert client.answer(path, body, headers=headers)["code"] == "390400"


def test_an_unknown_session_has_expired(client):
    """On every path that needs a session."""
    for token in "", "x", 'Snowflake Token="x"', 'Snowflake Token=""':
        for path in STATEMENT_PATH, "/session", "/session/heartbeat", "/queries/x/abort-request":
            answer = client.answer(path, {"sqlText": "SELECT 1"}, headers={"Authorization": token})
            assert answer["code"] == "390112"


ODD_NAMES = [
    *(
        "",
        '"',
        '""',
        "a'b",
        "a.b",
        '"a"."b"',
        "x" * 9999,
        "a\0b",
        "1a",
        "a b",
        "--",
        "a;b",
        "\U0001f600",
    ),
    *(
        "select",
        "table",
        "system",
        "temp",
        "memory",
        "main",
        "information_schema",
        "_fs_global",
        "ß",
    ),
]


def test_a_login_with_an_odd_name_has_a_session_without_it(client):
    """As if the database or schema did not exist. Statements with qualified names work."""

    @settings(few, max_examples=25)
    @given(*[st.sampled_from(["DB", *ODD_NAMES]) | st.text(max_size=5)] * 2)
    def check(database, schema):
        answer = client.answer(LOGIN_PATH, LOGIN, databaseName=database, schemaName=schema)
        token = answer["data"]["token"]
        headers = {"Authorization": f'Snowflake Token="{token}"'}
        select = {"sqlText": "SELECT 1"}
        assert client.answer(STATEMENT_PATH, select, headers=headers)["success"]
        client.answer("/session", "", headers=headers, delete="true")

    check()
    answer = client.answer(LOGIN_PATH, LOGIN, databaseName="DB", schemaName="a'b")
    session = answer["data"]["sessionInfo"]
    assert (session["databaseName"], session["schemaName"]) == ("DB", None)
