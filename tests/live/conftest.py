"""``make live`` in the tests' process, against the emulator."""

import pytest

from airflow_provider_cortex.emulator import Life
from live.__main__ import main
from tests.live.runs import Live, Result
from tests.secret_scan import OUTPUT, leftovers


@pytest.fixture
def live(cortex_emulator, connection, capsys, monkeypatch) -> Live:
    """Run the command; a job finishes at the third poll, and a minute passes at once."""
    cortex_emulator.life = cortex_emulator.query_life = Life.by_looks(2)
    # The emulator is slower than Snowflake with many calls in a statement.
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "20")

    def run(*words, sleep=lambda _: None):
        capsys.readouterr()  # drops earlier output
        status = main(words, sleep=sleep)
        printed = capsys.readouterr()
        leftovers.leave(OUTPUT, printed.out + printed.err)
        return Result(status, printed.out, printed.err)

    return run
