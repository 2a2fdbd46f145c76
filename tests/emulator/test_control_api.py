"""The HTTP routes under /emulator."""

import json
import math
import os
import re
import subprocess
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest
from snowflake.connector.errors import DatabaseError, ProgrammingError

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.fault_kinds import FAULT_KINDS
from tests.clock import wait_until
from tests.docs.pages import read
from tests.emulator.client import post, request_json, send, show


def test_jobs_can_be_listed_and_controlled(cortex_emulator):
    """For users of the command, who have no Python object."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(3))
    assert request_json(cortex_emulator, "/emulator/jobs")[0]["status"] == "PENDING"
    (stalled,) = post(cortex_emulator, f"/emulator/jobs/{job.id}/stall", {"progress": 0.4})
    assert (stalled["status"], stalled["progress"]) == ("IN_PROGRESS", 0.4)
    (failed,) = post(
        cortex_emulator, f"/emulator/jobs/{job.id}/fail", {"code": "X", "message": "y"}
    )
    assert failed["error"] == {"code": "X", "message": "y"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/jobs/ft_0/fail", {}, 404),
        ("/jobs/{id}/explode", {}, 404),
        ("/jobs/{id}/stall", {"speed": 1}, 400),
        ("/jobs/{id}/stall", [1], 400),
    ],
)
def test_wrong_requests_are_rejected(cortex_emulator, path, body, status):
    """With an HTTP status and a message."""
    job = cortex_emulator.jobs.add(model="D.S.m")
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(cortex_emulator, "/emulator" + path.format(id=job.id), body)
    assert caught.value.code == status
    assert json.load(caught.value)["error"]


def test_queries_are_listed(cortex_emulator, connect):
    """Each with its statement and status. This does not count as a poll."""
    cortex_emulator.query_life = Life.by_looks(1)
    query_id = connect().cursor().execute_async("SELECT 1")["queryId"]
    for _ in range(2):
        (query,) = request_json(cortex_emulator, "/emulator/queries")
        assert (query["id"], query["sqlText"], query["status"]) == (query_id, "SELECT 1", "RUNNING")


def test_the_load_is_counted(cortex_emulator, connect):
    """Logins, statements, the seconds of statements including delays, and polls of jobs."""
    assert set(request_json(cortex_emulator, "/emulator/counts").values()) == {0}
    cortex_emulator.password = "secret"
    with pytest.raises(DatabaseError):
        connect(password="wrong")
    session = connect(password="secret")
    job = cortex_emulator.jobs.add(model="D.S.m")
    call = f"SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
    cortex_emulator.statement_delay = 0.1
    for _ in range(2):
        session.cursor().execute(f"SELECT {call}, {call}")
    with pytest.raises(ProgrammingError):
        session.cursor().execute("SELEC 1")
    counts = request_json(cortex_emulator, "/emulator/counts")
    assert 0.3 <= counts.pop("statement_seconds") < 3
    assert counts == {"logins": 1, "refused_logins": 1, "statements": 3, "looks": 4}


def test_faults_can_be_added_listed_counted_and_cleared(cortex_emulator, connect):
    """As in Python."""
    session = connect()
    report = request_json(cortex_emulator, "/emulator/faults")
    assert (report["active"], report["struck"]) == ([], {})
    assert set(report["kinds"]) == set(FAULT_KINDS)
    assert report["kinds"]["slow"]["parameters"] == {"delay": 1}
    fault = {"kind": "record", "set": {"progress": math.nan}, "share": 0.5}
    report = post(
        cortex_emulator, "/emulator/faults", {"kind": "error", "message": "By hand.", "requests": 1}
    )
    (active,) = report["active"]
    assert (active["kind"], active["at"], active["requests"]) == ("error", "statement", 1)
    assert active["parameters"]["message"] == "By hand."
    with pytest.raises(ProgrammingError, match=r"By hand\."):
        show(session)
    report = post(cortex_emulator, "/emulator/faults", fault)
    assert [shown["kind"] for shown in report["active"]] == ["record"]
    assert report["struck"] == {"error": 1}
    assert not request_json(cortex_emulator, "/emulator/faults", method="DELETE")["active"]


def reset_in_python(emulator):
    emulator.reset()


def reset_over_http(emulator):
    headers = {"Content-Type": "application/json"}
    assert send(emulator, "POST", "/emulator/reset", headers=headers) == (204, b"")


@pytest.mark.parametrize("reset", [reset_in_python, reset_over_http])
def test_a_reset_forgets_everything(cortex_emulator, connect, reset):
    """As if the emulator had just been started, on the same port."""
    port, life = cortex_emulator.port, cortex_emulator.life
    session = connect()
    session.cursor().execute("CREATE TABLE tickets AS SELECT 1 AS n")
    session.cursor().execute_async("SELECT 1")
    cortex_emulator.jobs.add(model="D.S.m")
    cortex_emulator.faults.add("slow", delay=0.0)
    cortex_emulator.life, cortex_emulator.password = Life.by_looks(9), "other"
    reset(cortex_emulator)
    assert (cortex_emulator.port, cortex_emulator.life) == (port, life)
    assert cortex_emulator.password is None
    assert set(request_json(cortex_emulator, "/emulator/counts").values()) == {0}
    assert not list(cortex_emulator.faults) + cortex_emulator.faults.struck
    assert not cortex_emulator.queries.all() + cortex_emulator.statements
    assert cortex_emulator.open_sessions == 0
    new = connect()
    assert show(new) == [("[]",)]
    assert new.cursor().execute("SHOW MODELS").fetchall() == []
    with pytest.raises(ProgrammingError) as caught:
        new.cursor().execute("SELECT n FROM tickets")
    assert caught.value.errno == 2003


def test_a_reset_ends_sessions_and_requests_that_hang(cortex_emulator, connect):
    """A client must log in again, as after an expired session; no request is left behind."""
    session, hanging = connect(), connect()
    cortex_emulator.faults.add("hang", requests=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(show, hanging)
        wait_until(lambda: cortex_emulator.faults.struck)
        cortex_emulator.reset()
        for result in answer.result, lambda: show(session):
            with pytest.raises(ProgrammingError, match="must authenticate again"):
                result()
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("body", [[1], "fault", 7, {}])
def test_a_body_that_is_not_a_fault_is_rejected(cortex_emulator, body):
    """Whatever it is."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(cortex_emulator, "/emulator/faults", body)
    assert caught.value.code == 400
    assert json.load(caught.value)["error"]


def test_the_documented_commands_work():
    """All blocks of shell with curl, one after another, as they are but for the port and the id."""
    blocks = [
        block
        for page in ("reference/emulator", "reference/emulator-faults")
        for block in re.findall(r"```shell\n(.*?)```", read(page), re.DOTALL)
        if "curl" in block
    ]
    with Emulator() as emulator:
        job = emulator.jobs.add(model="D.S.m")
        script = "\n".join(blocks).replace(":8282/", f":{emulator.port}/").replace("ft_...", job.id)
        ran = subprocess.run(
            ["bash", "-euc", f'curl() {{ command curl --fail -sS "$@"; }}\n{script}'],
            env=os.environ | emulator.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert emulator.jobs.all() == []  # forgotten
    assert len(blocks) == 2
    assert '"struck":' in ran.stdout.replace(" ", "")
