"""Run my_dag.py from start to end against the emulator."""

import pytest
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from my_dag import dag

from airflow_provider_cortex.emulator import Life

SUPPORT_TICKETS = """
    CREATE TABLE support_tickets AS
    SELECT * FROM VALUES
        ('I was charged twice for my order', 'billing'),
        ('The app closes when I open a photo', 'bug'),
        ('How do I change my address?', 'account')
        AS tickets (prompt, completion)
"""


@pytest.fixture(autouse=True)
def support_tickets(cortex_connection):
    """Create the table that the DAG trains on, in each test's new emulator."""
    SnowflakeHook(cortex_connection).run(SUPPORT_TICKETS)


def run_dag():
    """Run the DAG once, and return its task instances by task id."""
    return {ti.task_id: ti for ti in dag.test().get_task_instances()}


def test_the_tuned_model_answers(cortex_emulator):
    cortex_emulator.life = Life.by_looks(3)
    tasks = run_dag()
    assert {task_id: ti.state for task_id, ti in tasks.items()} == {
        "start": "success",
        "wait": "success",
        "ask": "success",
    }
    assert tasks["wait"].xcom_pull(task_ids="wait") == "CORTEX_DB.PUBLIC.ticket_triage"
    assert tasks["ask"].xcom_pull(task_ids="ask") == "billing"


def test_no_model_is_asked_if_the_job_fails(cortex_emulator):
    error = {"code": "INTERNAL_ERROR", "message": "The training has failed."}
    cortex_emulator.faults.add("record", set={"status": "ERROR", "error": error})
    tasks = run_dag()
    assert tasks["start"].state == "success"
    assert tasks["wait"].state == "failed"
    assert tasks["ask"].state == "upstream_failed"


def test_the_wait_continues_after_an_outage(cortex_emulator):
    cortex_emulator.faults.add("error", at="describe", requests=3)
    tasks = run_dag()
    assert tasks["wait"].state == "success"
    assert [fault.kind for fault in cortex_emulator.faults.struck] == ["error"] * 3
