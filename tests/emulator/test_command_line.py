"""``python -m airflow_provider_cortex.emulator``."""

import ast
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest

from airflow_provider_cortex.emulator.__main__ import main
from airflow_provider_cortex.emulator.tls import TRUST_VARIABLES

pytestmark = pytest.mark.slow


@pytest.fixture
def command():
    """Start the command with arguments, and kill it after the test if it still runs."""
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


def banner(process):
    """Return what the command has printed to be copied: commands, exports, lines of Python."""
    copied = []
    for line in iter(process.stdout.readline, ""):
        copied += [line.strip()] if line.startswith("  ") else []
        if "fetchall" in line:
            break
    return copied


def paste(lines, code):
    """Run lines in a shell that trusts no authority of its own, then code in Python."""
    foreign = {*TRUST_VARIABLES, "CURL_CA_BUNDLE"}
    program = f"import snowflake.connector\n{code}\n"
    return subprocess.run(
        ["bash", "-euc", "\n".join([*lines, f'"{sys.executable}" -c "$PROGRAM"'])],
        env={name: value for name, value in os.environ.items() if name not in foreign}
        | {"PROGRAM": program},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def stop(process, number):
    """Send a signal: the process exits with 0 and without a traceback."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


USE = """
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

read = SQLExecuteQueryOperator(task_id="read", conn_id="snowflake_default", sql="SELECT 1")
print("found", SnowflakeHook().get_first("SELECT 1"), read.execute({}))
"""


def test_the_printed_lines_work_as_they_are(command):
    """curl in any order; the driver and Airflow's own Snowflake tasks after the exports."""
    process = command("--port", "0")
    lines = banner(process)
    curl, *exports, connect, execute = lines
    assert curl.startswith("curl --cacert ")
    assert [line.split("=")[0] for line in exports] == [
        "export AIRFLOW_CONN_SNOWFLAKE_DEFAULT",
        "export SNOWFLAKE_DISABLE_PLATFORM_DETECTION",
        "export REQUESTS_CA_BUNDLE",
        "export SSL_CERT_FILE",
    ]
    ran = paste([curl, *exports, curl], "\n".join([connect, f"print({execute})", USE]))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("[][][('[]',)]"), ran.stdout
    assert "found (1,) [(1,)]" in ran.stdout
    assert "Skipping masking" not in ran.stdout + ran.stderr  # of a value in the connection
    stop(process, signal.SIGINT)


def test_plain_http_delays_and_other_names_are_options(command, connect):
    """The printed example needs no export then. Each login and statement is delayed."""
    delays = "--login-delay", "0.2", "--statement-delay", "0.2"
    names = "--allow-host", "cortex.test", "--allow-host", "other.test"
    process = command("--port", "0", "--http", "--life", "looks:1", *delays, *names)
    lines = banner(process)
    assert lines[0].startswith("curl http://127.0.0.1:")
    example = next(line for line in lines if "connect(**" in line)
    arguments = ast.literal_eval(example.partition("**")[2].removesuffix(")"))
    began = time.monotonic()
    session = connect(**arguments)
    assert session.cursor().execute("SELECT 1").fetchall() == [(1,)]
    assert time.monotonic() - began > 0.4
    session.close()
    for host, status in ("cortex.test", 200), ("other.test:1", 200), ("third.test", 421):
        with closing(HTTPConnection("127.0.0.1", arguments["port"], timeout=9)) as client:
            client.request("GET", "/emulator/jobs", headers={"Host": host})
            assert client.getresponse().status == status
    stop(process, signal.SIGTERM)


def test_nothing_is_left_when_it_ends(command, monkeypatch, tmp_path):
    """Its temporary files, those of stages among them, are gone after Ctrl-C."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = command("--port", "0", "--http")
    banner(process)
    assert list(tmp_path.iterdir())
    stop(process, signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_reported(monkeypatch, tmp_path):
    """The command exits with one sentence that says what to do."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["emulator", "--tls", str(tmp_path / "file")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).endswith("Choose another directory with --tls.")


def test_a_port_in_use_is_reported(cortex_emulator, monkeypatch):
    """The command exits with one sentence that says what to do."""
    monkeypatch.setattr(sys, "argv", ["emulator", "--port", str(cortex_emulator.port)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (
        f"Port {cortex_emulator.port} is in use. Choose another one with --port."
    )


@pytest.mark.parametrize("life", ["soon", "looks:", "seconds:x", "at-once:3"])
def test_an_invalid_life_is_rejected(command, life):
    """The error quotes it."""
    process = command("--life", life)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert life in errors


def test_a_missing_extra_is_reported():
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
    assert ran.stderr.strip().endswith("extra: airflow-provider-cortex[emulator]")
