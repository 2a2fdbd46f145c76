"""``python -m airflow_provider_cortex.emulator``."""

import ast
import json
import signal
import subprocess
import sys
import time

import pytest

from airflow_provider_cortex.emulator.__main__ import main


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_banner_says_how_to_connect_and_a_signal_stops_the_command(command, connect, number):
    """The printed example works as it is. The process exits with 0 and without a traceback."""
    delays = "--login-delay", "0.2", "--statement-delay", "0.2"
    process = command("--port", "0", "--life", "looks:1", *delays)
    lines = iter(process.stdout.readline, "")
    exported = next(line for line in lines if "export AIRFLOW_CONN" in line)
    extra = json.loads(exported.partition("=")[2].strip().strip("'"))["extra"]
    example = next(line for line in lines if "connect(**" in line)
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
