"""Commands that run in the tests' process, and jobs for them."""

from typing import Any

import pytest

from airflow_provider_cortex.__main__ import get_parser
from airflow_provider_cortex.emulator import Emulator, Life
from tests.cli.runner import Result, Run
from tests.secret_scan import OUTPUT, leftovers


@pytest.fixture
def run(connection: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run commands in this process, as ``python -m airflow_provider_cortex`` parses them."""
    # Commands set it in their own process, and never reset it.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")

    def run_command(*words: str, **options: Any) -> Result:
        capfd.readouterr()  # drops earlier output
        status: Any = 0
        try:
            arguments = get_parser().parse_args(["jobs", *words])
            arguments.func(arguments, **options)
        except SystemExit as ended:
            status = ended.code
        printed = capfd.readouterr()
        leftovers.leave(OUTPUT, printed.out + printed.err)
        return Result(int(status or 0), printed.out, printed.err)

    return run_command


@pytest.fixture
def jobs(cortex_emulator: Emulator) -> dict[str, str]:
    """Return the ids of four jobs by their statuses, oldest first."""
    add = cortex_emulator.jobs.add
    ids = {"SUCCESS": add(model="DB.AI.TRIAGE").id, "ERROR": add(model="DB.AI.BROKEN").id}
    cortex_emulator.jobs.fail(ids["ERROR"], code="BAD_DATA", message="No [red]column\nPROMPT.")
    ids["CANCELLED"] = add(model="DB.AI.OTHER", base_model="mistral-7b").id
    cortex_emulator.jobs.cancel(ids["CANCELLED"])
    ids["IN_PROGRESS"] = add(model="DB.AI.RUNS", life=Life.by_looks(4)).id
    cortex_emulator.jobs.describe(ids["IN_PROGRESS"])
    return ids
