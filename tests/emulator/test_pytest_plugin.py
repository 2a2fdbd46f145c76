"""The pytest plugin."""

import json
import os
import subprocess
import sys


def test_cortex_connection_leads_to_the_emulator(cortex_emulator, cortex_connection):
    """It sets the environment variable in which Airflow looks for snowflake_default."""
    connection = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    assert cortex_connection == "snowflake_default"
    assert connection["extra"]["port"] == cortex_emulator.port
    assert connection["extra"]["protocol"] == "http"


def test_the_plugin_imports_nothing_heavy_before_it_is_used():
    """pytest imports it in every run on a machine that has this package."""
    heavy = "{'duckdb', 'fakesnow', 'uvicorn', 'snowflake.connector', 'airflow'}"
    code = (
        f"import airflow_provider_cortex.emulator.fixtures, sys; print({heavy} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
