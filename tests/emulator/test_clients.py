"""The ways in that are not the plain driver: Airflow's own hook, TLS, the command, the plugin."""

import ast
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from airflow_provider_cortex.emulator import Emulator

HOOK = """
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
hook = SnowflakeHook()
hook.run("CREATE TABLE t AS SELECT 'a' AS prompt, 'b' AS completion")
create = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', %s, 'mistral-7b', 'SELECT * FROM t')"
(job_id,) = hook.get_first(create, parameters=("it's mine",))
(told,) = hook.get_first("SELECT SNOWFLAKE.CORTEX.FINETUNE(%s, %s)", parameters=("DESCRIBE", job_id))
print("TOLD", told)
"""


def test_airflows_own_hook_speaks_tls(tmp_path):
    """SnowflakeHook takes host and port, but no protocol: it needs the emulator to speak HTTPS."""
    with Emulator(tls=tmp_path) as emulator:
        environment = os.environ | {
            "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": emulator.airflow_connection,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "REQUESTS_CA_BUNDLE": str(tmp_path / "authorities.pem"),
            "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        }
        ran = subprocess.run(
            [sys.executable, "-c", HOOK],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.partition("TOLD ")[2].splitlines()[0])
    assert told["status"] == "SUCCESS"
    assert told["model"] == "CORTEX_DB.PUBLIC.it's mine"


def test_certificates_are_kept(tmp_path):
    """Clients trust a file; the next start must not make it worthless."""
    kept = []
    for _ in range(2):
        emulator = Emulator(tls=tmp_path)
        emulator.close()
        kept.append((tmp_path / "server.pem").read_bytes())
    assert kept[0] == kept[1]
    assert (tmp_path / "server.pem").stat().st_mode & 0o077 == 0


def test_the_connection_fixture_names_the_emulator(cortex_emulator, cortex_connection):
    """The plugin puts the running emulator where Airflow looks for snowflake_default."""
    connection = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    assert cortex_connection == "snowflake_default"
    assert connection["extra"]["port"] == cortex_emulator.port
    assert connection["extra"]["protocol"] == "http"


def test_the_plugin_costs_nothing_until_it_is_used():
    """pytest imports it in every run of everybody who has this package."""
    heavy = "{'duckdb', 'fakesnow', 'uvicorn', 'snowflake.connector', 'airflow'}"
    code = (
        f"import airflow_provider_cortex.emulator.fixtures, sys; print({heavy} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_missing_extra_is_named():
    """Without fakesnow, the error says what to install."""
    code = """
import sys
sys.modules["fakesnow"] = None
sys.argv = ["emulator"]
from airflow_provider_cortex.emulator.__main__ import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.strip().endswith("pip install 'airflow-provider-cortex[emulator]'")


@pytest.fixture
def command():
    """Start the command with arguments; what still runs afterwards is killed."""
    started = []

    def command(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_cortex.emulator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_connect_and_stops_cleanly(command, connect, number):
    """The printed example works as it stands, and a signal ends it without a traceback."""
    delays = "--login-delay", "0.2", "--statement-delay", "0.2"
    process = command("--port", "0", "--life", "looks:1", *delays)
    said = iter(process.stdout.readline, "")
    exported = next(line for line in said if "export AIRFLOW_CONN" in line)
    extra = json.loads(exported.partition("=")[2].strip().strip("'"))["extra"]
    example = next(line for line in said if "connect(**" in line)
    arguments = ast.literal_eval(example.partition("**")[2].strip().removesuffix(")"))
    assert arguments["port"] == extra["port"]
    began = time.monotonic()
    session = connect(**arguments)
    assert session.cursor().execute("SELECT 1").fetchall() == [(1,)]
    assert time.monotonic() - began > 0.4
    session.close()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_the_command_says_that_its_port_is_taken(command, cortex_emulator):
    """In a sentence, with what to do about it."""
    process = command("--port", str(cortex_emulator.port))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Port {cortex_emulator.port} is taken" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("life", ["soon", "looks:", "seconds:x", "at-once:3"])
def test_the_command_refuses_a_life_it_cannot_read(command, life):
    """It says which."""
    process = command("--life", life)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert life in errors
