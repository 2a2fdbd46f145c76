"""
Snowflake's own Python class for fine-tuning, unmodified, against the emulator.

Runs without Airflow, in an environment of its own: snowflake-ml-python's dependencies and
Airflow's do not agree.
"""

import pytest
from snowflake.cortex import Finetune
from snowflake.snowpark import Session

from airflow_provider_cortex.emulator import Emulator, Life

QUERY = "SELECT request AS prompt, label AS completion FROM tickets"

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def emulator():
    with Emulator(tls=False, life=Life.by_looks(2)) as emulator:
        yield emulator


@pytest.fixture
def session(emulator):
    with Session.builder.configs(emulator.connect_arguments).create() as session:
        session.sql("CREATE TABLE tickets (request VARCHAR, label VARCHAR)").collect()
        session.sql("INSERT INTO tickets VALUES ('where is it?', 'shipping')").collect()
        yield session


def test_a_job_is_created_and_described(session):
    """The class reads each of DESCRIBE's answers, from PENDING to SUCCESS."""
    job = Finetune(session).create("it's mine", "mistral-7b", QUERY)
    seen = [job.describe() for _ in range(3)]
    assert [status.status for status in seen] == ["PENDING", "IN_PROGRESS", "SUCCESS"]
    assert seen[-1].model == "CORTEX_DB.PUBLIC.it's mine"
    assert set(seen[-1].training_result) == {"training_loss", "validation_loss"}


def test_data_may_be_a_data_frame(session):
    """The class turns it into a query."""
    frame = session.table("tickets").select_expr("request AS prompt", "label AS completion")
    job = Finetune(session).create("m", "mistral-7b", frame, frame)
    assert [job.describe().status for _ in range(3)][-1] == "SUCCESS"


def test_jobs_are_listed(session):
    """SHOW's cell becomes a list of jobs."""
    job = Finetune(session).create("m", "mistral-7b", QUERY)
    (listed,) = Finetune(session).list_jobs()
    assert listed.status.id == job.status.id
    assert listed.status.base_model == "mistral-7b"


def test_a_job_is_cancelled(session):
    """The class knows it from CANCEL's words."""
    job = Finetune(session).create("m", "mistral-7b", QUERY)
    assert job.cancel() is True
    assert job.describe().status == "CANCELLED"


def test_bad_data_is_told_by_the_job(session):
    """Not by create."""
    job = Finetune(session).create("m", "mistral-7b", f"{QUERY};")
    status = job.describe()
    assert status.status == "ERROR"
    assert status.error["code"] == "INVALID_PARAMETER_VALUE"


def test_options_arrive_as_an_object(emulator, session):
    """The class sends OBJECT_CONSTRUCT(...), where the documentation says JSON text."""
    Finetune(session).create("m", "mistral-7b", QUERY, options={"max_epochs": 2})
    ((job, _),) = emulator.jobs.all()
    assert job.options == {"max_epochs": 2}


def test_the_class_does_not_know_options_in_an_answer(session):
    """A fault of snowflake-ml-python 2.6.0: DESCRIBE is documented to return them."""
    job = Finetune(session).create("m", "mistral-7b", QUERY, options={"max_epochs": 2})
    with pytest.raises(TypeError, match="options"):
        job.describe()
