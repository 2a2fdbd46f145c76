"""``hook.jobs()``: describe many fine-tuning jobs over one session."""

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import RejectedError, UnreachableError
from airflow_provider_cortex.hooks import CortexHook
from tests.waiting.shared_polls import batches, running


def test_one_rejected_job_does_not_hide_the_others(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Each id has its job or its error. The next time, the rejected job is described alone."""
    job_ids = running(cortex_emulator, 7)
    with CortexHook(connection) as hook:
        for _ in range(2):
            outcomes = hook.jobs().describe(*job_ids[:3], "ft_gone", *job_ids[3:])
            error = outcomes.pop("ft_gone")
            assert isinstance(error, RejectedError)
            assert "ft_gone" in str(error)
            assert sorted(outcomes) == sorted(job_ids)
            assert {type(outcome) for outcome in outcomes.values()} == {FineTuneJob}
    assert batches(cortex_emulator) == [8, 4, 2, 2, 1, 1, 4, 7, 1]
    assert cortex_emulator.logins == 1


def test_an_unanswered_statement_is_the_error_of_its_jobs(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Each error names its job. The next time, statements are smaller."""
    job_ids = running(cortex_emulator, 8)
    cortex_emulator.jobs.crash(job_ids[0])
    with CortexHook(connection) as hook:
        for job_id, outcome in hook.jobs().describe(*job_ids).items():
            assert isinstance(outcome, UnreachableError)
            assert job_id in str(outcome)
        outcomes = hook.jobs().describe(*job_ids)
    failed = [key for key, outcome in outcomes.items() if isinstance(outcome, UnreachableError)]
    assert failed == job_ids[:2]


def test_without_a_session_describe_raises(connection: str, cortex_emulator: Emulator) -> None:
    """A rejected login is no error of a job."""
    cortex_emulator.faults.add("login")
    with CortexHook(connection) as hook, pytest.raises(RejectedError, match="log in"):
        hook.jobs().describe("ft_1", "ft_2")
    assert batches(cortex_emulator) == []
