"""Asynchronous queries through the unmodified driver: their lives, ends, results and cancelling."""

import json
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowflake.connector
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import DatabaseError, Error, ProgrammingError

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.queries import Status
from tests.clock import Clock, wait_until

CREATE = "CREATE TABLE answers AS SELECT request, UPPER(label) AS answer FROM tickets"
COUNT = "SELECT COUNT(*) FROM answers"


def submit(session, sql, values=None):
    """Start a query and return its id, which cursor and answer agree on."""
    cursor = session.cursor()
    answered = cursor.execute_async(sql, values)
    assert cursor.sfqid == answered["queryId"]
    return cursor.sfqid


def statuses(session, query_id, looks):
    return [session.get_query_status(query_id).name for _ in range(looks)]


@pytest.mark.usefixtures("tickets")
def test_a_query_is_seen_running_and_then_over(cortex_emulator, connect, cell):
    """By looks, as a job; any session may look, and see what the query has made when it is over."""
    cortex_emulator.query_life = Life.by_looks(2)
    query_id = submit(connect(), CREATE)
    with pytest.raises(ProgrammingError, match="ANSWERS does not exist"):
        cell(COUNT)
    assert statuses(connect(), query_id, 4) == ["RUNNING", "RUNNING", "SUCCESS", "SUCCESS"]
    assert cell(COUNT) == 5
    assert cortex_emulator.statements[-3].sql == CREATE


@pytest.mark.usefixtures("tickets")
def test_a_query_ends_though_nobody_looks(connect, cell):
    """The next statement of anybody finds what it has made."""
    submit(connect(), CREATE)
    assert cell(COUNT) == 5


def test_a_query_may_take_its_time():
    """By time, it is over at its moment by the emulator's clock."""
    clock = Clock()
    with (
        Emulator(query_life=Life.by_time(60), clock=clock.time) as emulator,
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
def test_a_query_runs_where_its_session_was(connect):
    """Database, schema and variables are those at the time of the order."""
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
def test_results_are_fetched_by_id(cortex_emulator, connect):
    """get_results_from_sfqid and query_result, from another session and bound values included."""
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
def test_a_result_is_waited_for(cortex_emulator, connect):
    """Whoever asks for the result of a query that runs has it at its end; the wait has looks, too."""
    cortex_emulator.query_life = Life.by_looks(3)
    cursor = connect().cursor()
    query_id = submit(connect(), "SELECT COUNT(*) FROM tickets")
    assert cursor.query_result(query_id).fetchall() == [(5,)]
    query_id = submit(connect(), "SELECT COUNT(*) FROM nowhere")
    with pytest.raises(ProgrammingError, match="NOWHERE does not exist"):
        cursor.query_result(query_id)


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        pytest.param("SELECT * FROM nowhere", 2003, id="table"),
        pytest.param("SELEC 1", 1003, id="syntax"),
        pytest.param("SELECT 'open", 1003, id="open quote"),
        pytest.param("SELECT SNOWFLAKE.CORTEX.COMPLETE('nobody', 'x')", 100351, id="model"),
    ],
)
def test_what_is_wrong_is_told_by_the_status(connect, sql, errno):
    """The order is taken all the same; number and message are those of an ordinary statement."""
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
def test_a_cancelled_query_leaves_nothing(cortex_emulator, connect, cell):
    """SYSTEM$CANCEL_QUERY ends it ABORTED, in any session, and its table is never there."""
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
    with pytest.raises(ProgrammingError, match="ANSWERS does not exist"):
        cell(COUNT)


@pytest.mark.usefixtures("tickets")
def test_the_driver_can_cancel(cortex_emulator, connect):
    """abort_query does the same by a request of its own."""
    cortex_emulator.query_life = Life.by_looks(3)
    query_id = submit(connect(), CREATE)
    assert connect().cursor().abort_query(query_id)
    assert [query.status for query in cortex_emulator.queries.all()] == [Status.ABORTED]


@pytest.mark.usefixtures("tickets")
def test_cancelling_comes_too_late_for_what_is_over(connect, cell):
    """A guess: a query that is over, or unknown, is not running, and that is no error."""
    session = connect()
    query_id = submit(session, CREATE)
    assert statuses(session, query_id, 1) == ["SUCCESS"]
    for not_running in query_id, str(uuid.uuid4()):
        said = cell("SELECT SYSTEM$CANCEL_QUERY(%s)", not_running)
        assert said == "Identified SQL statement is not currently executing."
    assert statuses(session, query_id, 1) == ["SUCCESS"]
    assert cell(COUNT) == 5


def test_ordinary_queries_have_a_status_too(connect):
    """Of those that were waited for it is SUCCESS; of unknown ids there is no data."""
    cursor = connect().cursor()
    cursor.execute("SELECT 1")
    assert connect().get_query_status(cursor.sfqid) is QueryStatus.SUCCESS
    assert connect().get_query_status(str(uuid.uuid4())) is QueryStatus.NO_DATA
    with pytest.raises(ProgrammingError, match="not found"):
        cursor.query_result(str(uuid.uuid4()))


@pytest.mark.usefixtures("tickets")
def test_a_query_outlives_its_session(cortex_emulator, connect, cell):
    """The driver leaves a session with running queries open; one that has expired ends none."""
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
def test_an_insert_takes_place_once(cortex_emulator, connect, cell):
    """However many look at the same time, one of them sees it through."""
    session = connect()
    query_id = submit(session, "INSERT INTO tickets SELECT * FROM tickets")
    looking = [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda other: other.get_query_status(query_id), looking))
    wait_until(lambda: cortex_emulator.queries.all()[0].status is Status.SUCCESS)
    assert cell("SELECT COUNT(*) FROM tickets") == 10


def test_faults_strike_the_order(cortex_emulator, connect):
    """An order is a statement: a broken answer is asked for again, an error is the query's end."""
    session = connect()
    cortex_emulator.faults.add("status", status=503, requests=1)
    cortex_emulator.faults.add("error", code=90073, message="no warehouse", requests=1)
    query_id = submit(session, "SELECT 1")
    assert [fault.kind for fault in cortex_emulator.faults.struck] == ["status", "error"]
    with pytest.raises(ProgrammingError, match="no warehouse") as caught:
        session.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 90073


def test_faults_strike_the_status(cortex_emulator, connect):
    """At "query" they strike what asks for a query's status or result, and nothing else."""
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
def test_an_expired_session_asks_in_vain(cortex_emulator, connect, ask):
    """A status is told to whoever is logged in; a new session has it."""
    session = connect()
    query_id = submit(session, "SELECT 1")
    cortex_emulator.faults.add("expire")
    asking = session if ask == "get_query_status" else session.cursor()
    with pytest.raises(DatabaseError) as caught:
        getattr(asking, ask)(query_id)
    assert caught.value.errno == 390114
    assert statuses(connect(), query_id, 1) == ["SUCCESS"]


def test_a_logout_can_hang(cortex_emulator, connect):
    """A client can be held between its last answer and its session's end."""
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


def test_queries_are_told_over_http(cortex_emulator, connect):
    """Each with its statement and status, without counting as a look."""
    cortex_emulator.query_life = Life.by_looks(1)
    query_id = submit(connect(), "SELECT 1")
    url = f"http://{cortex_emulator.host}:{cortex_emulator.port}/emulator/queries"
    for _ in range(2):
        with urllib.request.urlopen(url) as response:
            (told,) = json.load(response)
        assert (told["id"], told["sqlText"], told["status"]) == (query_id, "SELECT 1", "RUNNING")
