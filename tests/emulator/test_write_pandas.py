"""Files on stages: write_pandas of the driver, PUT and COPY."""

import datetime as dt
import gc

import pandas as pd  # type: ignore[import-untyped]
import pytest
from snowflake.connector.errors import ProgrammingError
from snowflake.connector.pandas_tools import write_pandas

from airflow_provider_cortex.emulator import Emulator

pytestmark = pytest.mark.filterwarnings("ignore:is_datetime64tz_dtype:DeprecationWarning")  # driver

ROWS = [("It's late", 1), (None, 2), ("Überall", 3)]
FRAME = pd.DataFrame(ROWS, columns=["request", "n"])


@pytest.fixture(scope="module", autouse=True)
def may_block(no_blocking):
    """
    Let the driver remove its temporary directories.

    It does so in whatever thread Python collects its garbage, also in the emulator's.
    """
    no_blocking.deactivate()
    yield
    gc.collect()
    no_blocking.activate()


def test_write_pandas_fills_a_table(connect):
    """In one file or several, with quoted columns or not, as Parquet of either compression."""
    session = connect()
    session.cursor().execute('CREATE TABLE tickets ("request" VARCHAR, "n" INT)')
    session.cursor().execute("CREATE TABLE plain (request VARCHAR, n INT)")
    for options in (
        {"table_name": "TICKETS"},
        {"table_name": "TICKETS", "database": "CORTEX_DB", "schema": "PUBLIC", "chunk_size": 2},
        {"table_name": "plain", "quote_identifiers": False, "compression": "snappy"},
    ):
        succeeded, _, count, _ = write_pandas(session, FRAME, **options)
        assert (succeeded, count) == (True, 3)
    assert session.cursor().execute("SELECT * FROM plain").fetchall() == ROWS
    assert session.cursor().execute("SELECT * FROM tickets").fetchall() == ROWS * 2


def test_write_pandas_creates_and_overwrites_a_table(connect):
    """The types of its columns are those of the data."""
    session = connect()
    day = dt.date(2026, 5, 4)
    frame = FRAME.assign(
        **{"f": 1.5, "day": day, "at": pd.Timestamp(day), "is new": [True, False, True]}
    )
    for overwrite in (False, False, True):
        write_pandas(session, frame, "NEW", auto_create_table=True, overwrite=overwrite)
    row, *_ = rows = session.cursor().execute('SELECT * FROM "NEW"').fetchall()
    assert len(rows) == 3
    assert row == ("It's late", 1, 1.5, day, dt.datetime(2026, 5, 4), True)  # noqa: DTZ001
    write_pandas(session, frame[:1], "NEW", overwrite=True)
    assert session.cursor().execute("SELECT COUNT(*) FROM NEW").fetchone() == (1,)


def test_a_table_that_does_not_exist_is_an_sql_error(connect):
    """As in Snowflake, write_pandas creates one on request only."""
    with pytest.raises(ProgrammingError) as caught:
        write_pandas(connect(), FRAME, "NOWHERE")
    assert caught.value.errno == 2003


def test_files_can_be_put_on_a_stage_and_copied(connect, tmp_path):
    """With PUT and COPY INTO, of which write_pandas consists."""
    file = tmp_path / "tickets.csv"
    file.write_text("id,request\n1,late\n2,broken\n", encoding="utf-8")
    session = connect()
    session.cursor().execute("CREATE STAGE files")
    session.cursor().execute(f"PUT file://{file} @files")
    ((name, *_),) = session.cursor().execute("LIST @files").fetchall()
    assert name == "files/tickets.csv.gz"
    session.cursor().execute("CREATE TABLE tickets (id INT, request VARCHAR)")
    session.cursor().execute(
        "COPY INTO tickets FROM '@files' FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1)"
    )
    assert session.cursor().execute("SELECT * FROM tickets").fetchall() == [
        (1, "late"),
        (2, "broken"),
    ]


def test_each_emulator_has_stage_files_of_its_own(connect, tmp_path):
    """Stages of the same name have nothing in common."""
    file = tmp_path / "a.txt"
    file.write_text("a", encoding="utf-8")
    with Emulator(tls=False) as other:
        for session in (connect(), connect(other)):
            session.cursor().execute("CREATE STAGE files")
            assert session.cursor().execute("LIST @files").fetchall() == []
            session.cursor().execute(f"PUT file://{file} @files")
            assert len(session.cursor().execute("LIST @files").fetchall()) == 1
            session.close()
