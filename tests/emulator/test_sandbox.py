"""The sandbox: SQL reaches no file outside the stages, no network, and no setting of DuckDB."""

import urllib.error
import urllib.request
from pathlib import Path

import duckdb
import pytest
from snowflake.connector.errors import Error, ProgrammingError

CANARY = "canary-4711"

READING = [
    "SELECT content FROM read_text('{folder}/canary.csv')",
    "SELECT * FROM read_blob('{folder}/canary.csv')",
    "SELECT * FROM read_csv('{folder}/canary.csv')",
    "SELECT * FROM read_csv_auto(['{folder}/canary.csv'])",
    "SELECT * FROM sniff_csv('{folder}/canary.csv')",
    "SELECT * FROM read_json('{folder}/canary.json')",
    "SELECT * FROM read_json_objects('{folder}/canary.json')",
    "SELECT * FROM read_ndjson('{folder}/canary.json')",
    "SELECT * FROM read_parquet('{folder}/canary.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/canary.parquet')",
    "SELECT * FROM read_duckdb('{folder}/canary.db')",
    "SELECT * FROM \"glob\"('{folder}/*')",
    "SELECT * FROM '{folder}/canary.csv'",
    'SELECT * FROM "{folder}/canary.parquet"',
    "FROM '{folder}/canary.csv'",
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/canary.csv'')')",
    "SELECT * FROM query_table('{folder}/canary.csv')",
    "WITH w AS (SELECT * FROM read_text('{folder}/canary.csv')) SELECT * FROM w",
    "SELECT (SELECT content FROM read_text('{folder}/canary.csv'))",
    "SELECT * FROM read_text('{stages}/../{folder}/canary.csv')",
    "SELECT * FROM read_text('{stages}/link/canary.csv')",
    "SELECT * FROM read_text('file://{folder}/canary.csv')",
    "CREATE TABLE stolen AS SELECT * FROM read_text('{folder}/canary.csv')",
    "CREATE VIEW stolen AS SELECT * FROM read_text('{folder}/canary.csv')",
    "CREATE TYPE stolen AS ENUM (SELECT content FROM read_text('{folder}/canary.csv'))",
    "INSERT INTO loot SELECT content, '' FROM read_text('{folder}/canary.csv')",
    "PREPARE p AS SELECT * FROM read_text('{folder}/canary.csv')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{folder}/canary.csv')",
    "DESCRIBE SELECT * FROM read_csv('{folder}/canary.csv')",
    "SELECT SNOWFLAKE.CORTEX.COMPLETE('mistral-7b', content) FROM read_text('{folder}/canary.csv')",
    "COPY loot FROM '{folder}/canary.csv'",
    "COPY INTO loot FROM '{folder}/canary.csv'",
    "COPY INTO loot FROM 'file://{folder}/canary.csv'",
    "COPY INTO loot FROM @stage1 FILES = ('../../../../..{folder}/canary.csv')",
    "ATTACH '{folder}/canary.db' AS stolen",
    "IMPORT DATABASE '{folder}'",
    "SELECT getenv('HOME')",
]
WRITING = [
    "COPY loot TO '{folder}/written.csv'",
    "COPY (SELECT 1) TO '{folder}/written.csv'",
    "COPY INTO '{folder}/written.csv' FROM loot",
    "COPY INTO 'file://{folder}/written.csv' FROM loot",
    "COPY INTO @stage1/../../../../..{folder}/written.csv FROM loot",
    "EXPORT DATABASE '{folder}/written'",
    "ATTACH '{folder}/written.db' AS written",
    "CREATE DATABASE \"x; ATTACH '{folder}/written.db' AS written\"",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/written')",
    "COPY INTO loot FROM @stage1 FILES = ('../../../../..{folder}/canary.csv') PURGE = TRUE",
    "PUT file://{folder}/canary.csv @stage1/../../../../..{folder}/written",
    "GET @stage1 file://{folder}/written",
]
REOPENING = [
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9/'",
    "LOAD httpfs",
    "LOAD '{folder}/canary.duckdb_extension'",
    "SELECT * FROM read_text('http://127.0.0.1:9/x')",
    "SELECT * FROM read_csv('s3://bucket/x.csv')",
    "COPY INTO loot FROM 's3://bucket/x.csv'",
    "PRAGMA enable_external_access = true",
    "PRAGMA temp_directory = '{folder}'",
    "PRAGMA enable_profiling",
    "RESET enable_external_access",
    "RESET lock_configuration",
    "CALL enable_logging()",
    "SET VARIABLE x = (SELECT content FROM read_text('{folder}/canary.csv'))",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')",
    # Names of variables of the Python code that executes the statement.
    "SELECT * FROM sql",
    "SELECT * FROM params",
]

# For Snowflake and fakesnow they set session variables, so they succeed, and change no setting.
SETTINGS = {
    "enable_external_access": "true",
    "lock_configuration": "false",
    "allowed_directories": "'/'",
    "allowed_paths": "'{folder}/canary.csv'",
    "python_enable_replacements": "true",
    "autoload_known_extensions": "true",
    "temp_directory": "'{folder}'",
    "file_search_path": "'{folder}'",
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with files that no statement may read, in formats that DuckDB knows."""
    (tmp_path / "canary.csv").write_text(f"name,text\n{CANARY},x\n")
    (tmp_path / "canary.json").write_text(f'{{"name": "{CANARY}"}}')
    with duckdb.connect(str(tmp_path / "canary.db")) as database:
        database.execute(f"CREATE TABLE t AS SELECT '{CANARY}' AS name")
        database.execute(f"COPY t TO '{tmp_path}/canary.parquet' (FORMAT parquet)")
    return tmp_path


@pytest.fixture
def stages(cell, folder):
    """Return the directory of the stages, with a link that leads out of it."""
    directory = Path(cell("SELECT current_setting('home_directory')"))
    link = directory / "link"
    link.symlink_to(folder)
    yield directory
    link.unlink()


@pytest.fixture
def session(connect):
    """Open a session with a table and a stage."""
    session = connect()
    session.cursor().execute("CREATE TABLE loot (name VARCHAR, text VARCHAR)")
    session.cursor().execute("CREATE STAGE stage1")
    return session


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("statements", [READING, WRITING, REOPENING])
def test_no_statement_leaves_the_sandbox(session, folder, stages, statements):
    """Each is an SQL error. Nothing comes out, and no file appears, changes or disappears."""
    before = files(folder)
    for statement in statements:
        sql = statement.format(folder=folder, stages=stages)
        with pytest.raises(Error) as caught:
            pytest.fail(f"{sql} returned {session.cursor().execute(sql).fetchall()}")
        assert isinstance(caught.value, ProgrammingError) or "403" in str(caught.value), sql
        assert CANARY not in str(caught.value)
    assert files(folder) == before
    assert session.cursor().execute("SELECT * FROM loot").fetchall() == []


def test_no_setting_can_be_changed(cell, session, folder):
    """SET makes a variable of the session, as in Snowflake."""
    settings = {name: cell(f"SELECT current_setting('{name}')::VARCHAR") for name in SETTINGS}
    for name, value in SETTINGS.items():
        session.cursor().execute(f"SET {name} = {value.format(folder=folder)}")
    assert settings == {
        name: cell(f"SELECT current_setting('{name}')::VARCHAR", session=session)
        for name in SETTINGS
    }


def test_the_settings_name_no_directory_but_that_of_the_stages(cell, stages):
    """A home directory would show who runs the emulator."""
    paths = cell("SELECT listagg(value, '\n') FROM duckdb_settings() WHERE contains(value, '/')")
    others = paths.replace(str(stages), "").replace("python/", "")
    assert "/home" not in others
    assert str(Path.home()) not in others


def test_a_refusal_says_that_the_emulator_forbids_it(session, folder):
    """With Snowflake's number for missing privileges."""
    with pytest.raises(ProgrammingError, match="no access to files") as caught:
        session.cursor().execute(f"SELECT * FROM read_text('{folder}/canary.csv')")
    assert (caught.value.errno, caught.value.sqlstate) == (3001, "42501")


def test_stages_work(session, folder):
    """Files are uploaded, listed and loaded."""
    (folder / "loot.csv").write_text("a,b\nc,d\n")
    (uploaded,) = session.cursor().execute(f"PUT file://{folder}/loot.csv @stage1").fetchall()
    assert uploaded[6] == "UPLOADED"
    (listed,) = session.cursor().execute("LIST @stage1").fetchall()
    assert listed[0] == "stage1/loot.csv.gz"
    session.cursor().execute("COPY INTO loot FROM @stage1")
    assert session.cursor().execute("SELECT * FROM loot").fetchall() == [("a", "b"), ("c", "d")]


def test_databases_schemas_and_variables_work(connect):
    """Although DuckDB's configuration is locked."""
    cursor = connect().cursor()
    for sql in [
        "CREATE DATABASE other",
        "CREATE SCHEMA other.s",
        "USE DATABASE other",
        "USE SCHEMA s",
        "SET n = 7",
        "CREATE TABLE t AS SELECT $n AS n",
    ]:
        cursor.execute(sql)
    assert cursor.execute("SELECT n FROM other.s.t").fetchall() == [(7,)]


@pytest.mark.parametrize("path", ["../written", "%2e%2e/written", "..%2F..%2Fwritten", "%2Ftmp"])
def test_no_upload_leaves_the_directory_of_the_stages(cortex_emulator, path):
    """The driver uploads a file with HTTP's PUT to the path that the emulator has named."""
    request = urllib.request.Request(
        f"{cortex_emulator.url}/fs_bucket/{path}", method="PUT", data=b"x"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=9)
    assert caught.value.code in {400, 404}
    caught.value.close()
