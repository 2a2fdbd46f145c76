"""Asynchronous queries with the unmodified driver: status, result, cancelling and faults."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowflake.connector
from snowflake.connector.constants import QueryStatus as DriverStatus
from snowflake.connector.errors import DatabaseError, Error, ProgrammingError

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from tests.clock import Clock, wait_until

CREATE = "CREATE TABLE answers AS SELECT request, UPPER(label) AS answer FROM tickets"


COUNT = "SELECT COUNT(*) FROM answers"


def submit(session, sql, values=None):
    """Submit a query and return its id, which cursor and response agree on."""
    cursor = session.cursor()
    response = cursor.execute_async(sql, values)
    assert cursor.sfqid == response["queryId"]
    return cursor.sfqid


def statuses(session, query_id, polls):
    """Poll the status of a query this many times."""
    return [session.get_query_status(query_id).name for _ in range(polls)]


@pytest.mark.usefixtures("tickets")
def test_a_query_runs_for_some_polls_and_then_succeeds(cortex_emulator, connect, cell):
    """Any session may poll it. Its effect is visible only when it has finished."""
    cortex_emulator.query_life = Life.by_looks(2)
    query_id = submit(connect(), CREATE)
    with pytest.raises(ProgrammingError, match=r"^002003 "):
        cell(COUNT)
    assert statuses(connect(), query_id, 4) == ["RUNNING", "RUNNING", "SUCCESS", "SUCCESS"]
    assert cell(COUNT) == 5
    assert cortex_emulator.statements[-3].sql == CREATE


@pytest.mark.usefixtures("tickets")
def test_a_query_finishes_without_polls(connect, cell):
    """The next statement of any session sees its effect."""
    submit(connect(), CREATE)
    assert cell(COUNT) == 5


def test_a_query_by_time_finishes_on_time():
    """By the emulator's clock."""
    clock = Clock()
    with (
        Emulator(tls=False, query_life=Life.by_time(60), clock=clock.time) as emulator,
        snowflake.connector.connect(**emulator.connect_arguments) as session,
    ):
        query_id = submit(session, "SELECT 1")
        clock.now += 59
        assert statuses(session, query_id, 9) == ["RUNNING"] * 9
        clock.now += 1
        assert statuses(session, query_id, 1) == ["SUCCESS"]
        (query,) = emulator.queries.all()
        assert query.finished_on == query.submitted_on + 60


@pytest.mark.usefixtures("tickets")
def test_a_query_keeps_the_namespace_and_variables_of_its_submission(connect):
    """Later changes in the session do not affect it."""
    session = connect()
    session.cursor().execute("CREATE SCHEMA elsewhere")
    session.cursor().execute("SET wanted = 'bug'")
    query_id = submit(
        session, "CREATE TABLE found AS SELECT * FROM public.tickets WHERE label = $wanted"
    )
    session.cursor().execute("SET wanted = 'billing'")
    session.cursor().execute("USE SCHEMA public")
    assert statuses(session, query_id, 1) == ["SUCCESS"]
    found = session.cursor().execute("SELECT label FROM elsewhere.found").fetchall()
    assert found == [("bug",)]


@pytest.mark.usefixtures("tickets")
def test_a_result_can_be_fetched_by_id(cortex_emulator, connect):
    """From another session or schema, and with bound values."""
    cortex_emulator.query_life = Life.by_looks(1)
    sql = "SELECT request FROM tickets WHERE label = %s ORDER BY request"
    query_id = submit(connect(), sql, ["shipping"])
    rows = [("The parcel arrived broken",), ("Where is my parcel?",)]
    session = connect()
    cursor = session.cursor()
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == rows
    cursor = session.cursor()
    assert cursor.query_result(query_id).fetchall() == rows
    assert cursor.sfqid == query_id
    assert [column.name for column in cursor.description] == ["REQUEST"]
    session.cursor().execute("CREATE SCHEMA elsewhere")
    cursor = session.cursor()
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == rows


@pytest.mark.usefixtures("tickets")
def test_fetching_a_result_waits_for_the_query(cortex_emulator, connect):
    """The wait counts as polls. An error is raised."""
    cortex_emulator.query_life = Life.by_looks(3)
    cursor = connect().cursor()
    query_id = submit(connect(), "SELECT COUNT(*) FROM tickets")
    assert cursor.query_result(query_id).fetchall() == [(5,)]
    query_id = submit(connect(), "SELECT COUNT(*) FROM nowhere")
    with pytest.raises(ProgrammingError, match=r"^002003 "):
        cursor.query_result(query_id)


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        pytest.param("SELECT * FROM nowhere", 2003, id="table"),
        pytest.param("SELEC 1", 1003, id="syntax"),
        pytest.param("SELECT 'open", 1003, id="open quote"),
        pytest.param("SELECT SNOWFLAKE.CORTEX.COMPLETE('missing', 'x')", 100351, id="model"),
    ],
)
def test_the_status_reports_the_error(connect, sql, errno):
    """Submitting succeeds. Number and message are those of an ordinary statement."""
    session = connect()
    with pytest.raises(ProgrammingError) as ordinary:
        session.cursor().execute(sql)
    query_id = submit(session, sql)
    assert statuses(session, query_id, 2) == ["FAILED_WITH_ERROR"] * 2
    with pytest.raises(ProgrammingError) as caught:
        session.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == ordinary.value.errno == errno
    assert str(caught.value).endswith(str(ordinary.value.raw_msg))
    assert caught.value.sfqid == query_id


@pytest.mark.usefixtures("tickets")
def test_a_cancelled_query_has_no_effect(cortex_emulator, connect, cell):
    """SYSTEM$CANCEL_QUERY ends it in ABORTED, from any session."""
    cortex_emulator.query_life = Life.by_looks(3)
    session = connect()
    query_id = submit(session, CREATE)
    assert statuses(session, query_id, 1) == ["RUNNING"]
    assert cell("SELECT SYSTEM$CANCEL_QUERY(%s)", query_id) == f"query [{query_id}] terminated."
    assert statuses(session, query_id, 5) == ["ABORTED"] * 5
    with pytest.raises(ProgrammingError, match="SQL execution canceled") as caught:
        session.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 604
    with pytest.raises(DatabaseError):
        session.cursor().get_results_from_sfqid(query_id)
    with pytest.raises(ProgrammingError, match=r"^002003 "):
        cell(COUNT)


@pytest.mark.usefixtures("tickets")
def test_abort_query_cancels(cortex_emulator, connect):
    """It sends a request of its own instead of a statement."""
    cortex_emulator.query_life = Life.by_looks(3)
    query_id = submit(connect(), CREATE)
    assert connect().cursor().abort_query(query_id)
    assert [query.status for query in cortex_emulator.queries.all()] == [QueryStatus.ABORTED]


@pytest.mark.usefixtures("tickets")
def test_cancelling_a_finished_query_changes_nothing(connect, cell):
    """This is not an error, nor is an unknown id (guess cancel-ended-query)."""
    session = connect()
    query_id = submit(session, CREATE)
    assert statuses(session, query_id, 1) == ["SUCCESS"]
    for not_running in query_id, str(uuid.uuid4()):
        text = cell("SELECT SYSTEM$CANCEL_QUERY(%s)", not_running)
        assert text == "Identified SQL statement is not currently executing."
    assert statuses(session, query_id, 1) == ["SUCCESS"]
    assert cell(COUNT) == 5


def test_ordinary_statements_have_a_status_too(connect):
    """It is SUCCESS. For an unknown id there is no data."""
    cursor = connect().cursor()
    cursor.execute("SELECT 1")
    assert connect().get_query_status(cursor.sfqid) is DriverStatus.SUCCESS
    assert connect().get_query_status(str(uuid.uuid4())) is DriverStatus.NO_DATA
    with pytest.raises(ProgrammingError, match="not found"):
        cursor.query_result(str(uuid.uuid4()))


@pytest.mark.usefixtures("tickets")
def test_a_query_outlives_an_expired_session(cortex_emulator, connect, cell):
    """The driver does not close a session with running queries."""
    cortex_emulator.query_life = Life.by_looks(3)
    session = connect()
    query_id = submit(session, CREATE)
    before = cortex_emulator.open_sessions
    session.close()
    assert cortex_emulator.open_sessions == before
    cortex_emulator.faults.add("expire")
    with connect() as other:
        assert statuses(other, query_id, 3)[-1] == "SUCCESS"
        assert cell(COUNT, session=other) == 5


@pytest.mark.usefixtures("tickets")
def test_a_query_is_executed_only_once(cortex_emulator, connect, cell):
    """However many clients poll it at the same time."""
    session = connect()
    query_id = submit(session, "INSERT INTO tickets SELECT * FROM tickets")
    polling = [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda other: other.get_query_status(query_id), polling))
    wait_until(lambda: cortex_emulator.queries.all()[0].status is QueryStatus.SUCCESS)
    assert cell("SELECT COUNT(*) FROM tickets") == 10


def test_faults_at_statement_strike_the_submission(cortex_emulator, connect):
    """The driver retries a broken response. An error fails the query."""
    session = connect()
    cortex_emulator.faults.add("status", status=503, requests=1)
    cortex_emulator.faults.add("error", code=90073, message="no warehouse", requests=1)
    query_id = submit(session, "SELECT 1")
    assert [fault.kind for fault in cortex_emulator.faults.struck] == ["status", "error"]
    with pytest.raises(ProgrammingError, match="no warehouse") as caught:
        session.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 90073


def test_faults_at_query_strike_status_and_result(cortex_emulator, connect):
    """They strike nothing else."""
    session = connect(network_timeout=1)
    query_id = submit(session, "SELECT 1")
    cortex_emulator.faults.add("refuse", at="query", requests=1)
    assert session.cursor().query_result(query_id).fetchall() == [(1,)]
    cortex_emulator.faults.add("status", at="query", status=503)
    with pytest.raises(Error):
        session.get_query_status(query_id)
    assert session.cursor().execute("SELECT 1").fetchall() == [(1,)]
    cortex_emulator.faults.clear()
    assert statuses(session, query_id, 1) == ["SUCCESS"]


@pytest.mark.parametrize("ask", ["get_query_status", "query_result"])
def test_an_expired_session_cannot_poll(cortex_emulator, connect, ask):
    """A new session can."""
    session = connect()
    query_id = submit(session, "SELECT 1")
    cortex_emulator.faults.add("expire")
    asking = session if ask == "get_query_status" else session.cursor()
    with pytest.raises(DatabaseError) as caught:
        getattr(asking, ask)(query_id)
    assert caught.value.errno == 390114
    assert statuses(connect(), query_id, 1) == ["SUCCESS"]


def test_a_logout_can_hang(cortex_emulator, connect):
    """So a test can hold a client between its last response and its end."""
    session = connect()
    cortex_emulator.faults.add("hang", at="logout", requests=1)
    session.cursor().execute("SELECT 1")
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(session.close)
        wait_until(lambda: cortex_emulator.faults.struck)
        assert not closing.done()
        assert cortex_emulator.open_sessions == 1
        assert connect().cursor().execute("SELECT 1").fetchall() == [(1,)]
        cortex_emulator.faults.clear()
    assert time.monotonic() - began < 5
    assert [fault.at for fault in cortex_emulator.faults.struck] == ["logout"]
