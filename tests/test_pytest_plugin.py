"""The pytest plugin, as a user of this package has it."""

import subprocess
import sys

import pytest
import snowflake.connector
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

from airflow_provider_cortex.emulator import Life, fixtures
from tests.tasks import IN_EACH_MODE, complete_table, wait

cortex_emulator = fixtures.cortex_emulator
"""The plugin's own, which the tests' one hides elsewhere."""

CREATE = "CREATE TABLE tickets AS SELECT 'Hello' AS body"


def test_the_driver_needs_no_more_than_the_fixture(cortex_emulator):
    """The connector reaches the emulator over HTTPS."""
    assert cortex_emulator.protocol == "https"
    with snowflake.connector.connect(**cortex_emulator.connect_arguments) as session:
        assert session.cursor().execute("SELECT 1")


def test_airflow_s_own_hook_works(cortex_connection):
    """SnowflakeHook passes no protocol to the driver, so it speaks HTTPS."""
    hook = SnowflakeHook(cortex_connection)
    hook.run(CREATE)
    assert hook.get_records("SELECT body FROM tickets") == [("Hello",)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Airflow 2 imports here
def test_airflow_s_own_sql_operator_works(cortex_connection, worker):
    """SQLExecuteQueryOperator has the same table as this package's tasks."""

    def run(sql):
        return worker.run(
            lambda: SQLExecuteQueryOperator(task_id="sql", conn_id=cortex_connection, sql=sql)
        )

    assert run(CREATE).state == "success"
    assert run("SELECT body FROM tickets").xcoms["return_value"] == [["Hello"]]


@IN_EACH_MODE
def test_waits_are_fast(cortex_emulator, worker, mode):
    """In every mode a sensor polls at once, and the job's life decides how often."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(3))
    result = wait(worker, mode, job_id=job.id, poke_interval=600)
    assert result.state == "success", result
    assert cortex_emulator.jobs.looks == 4
    assert sum(result.clock.slept) < 1


def test_the_wait_for_a_statement_is_fast(cortex_emulator, cortex_connection, worker):
    """So is that of a table's answers, on a worker and in the triggerer."""
    cortex_emulator.query_life = Life.by_looks(2)
    for deferrable in False, True:
        result = worker.run(
            lambda deferrable=deferrable: complete_table(
                model="mistral-7b",
                destination=f"answers_{deferrable}",
                poke_interval=600,
                deferrable=deferrable,
            )
        )
        assert result.state == "success", result
        assert sum(result.clock.slept) < 1


def test_the_plugin_imports_nothing_heavy_before_it_is_used():
    """pytest imports it in every run on a machine that has this package."""
    heavy = "{'duckdb', 'fakesnow', 'uvicorn', 'snowflake.connector', 'airflow'}"
    code = (
        f"import airflow_provider_cortex.emulator.fixtures, sys; print({heavy} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
