"""The names that ``airflow_provider_cortex.emulator`` exports."""

import pytest

from airflow_provider_cortex import emulator
from airflow_provider_cortex.emulator import Emulator, Job, JobState, JobStatus, Life
from tests.docs.pages import read


@pytest.mark.parametrize("name", emulator.__all__)
def test_each_name_exists_and_is_documented(name):
    """It can be imported, has a docstring, and is in the reference."""
    public = getattr(emulator, name)
    assert public.__name__ == name
    assert public.__doc__
    assert f"autoclass:: {public.__module__}.{name}\n" in read("reference/emulator-types")


def test_all_jobs_are_returned_with_their_states():
    """``jobs.all()`` returns pairs of the exported types, oldest first."""
    with Emulator(tls=False) as running:
        first = running.jobs.add(model="D.S.a", life=Life.by_looks(3))
        second = running.jobs.add(model="D.S.b")
        running.jobs.fail(second.id, code="X", message="y")
        (job, state), (_, failed) = running.jobs.all()
    assert job == first
    assert isinstance(job, Job)
    assert state == JobState(status=JobStatus.PENDING, progress=0.0)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (JobStatus.ERROR, "X")
