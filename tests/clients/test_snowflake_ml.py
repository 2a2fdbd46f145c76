"""
Snowflake's own Python class for fine-tuning, unmodified, against the emulator.

Runs without Airflow, in an environment of its own: snowflake-ml-python's dependencies and
Airflow's do not agree.
"""

import json

import pytest
from snowflake.cortex import Finetune
from snowflake.ml._internal.exceptions.dataset_errors import (
    DatasetExistError,
    DatasetNotExistError,
)
from snowflake.ml.dataset import Dataset
from snowflake.snowpark import Session
from snowflake.snowpark.functions import ai_extract, to_file

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


def test_a_dataset_has_versions(session):
    """The class for datasets reads their comments, and knows the errors by their numbers."""
    dataset = Dataset.create(session, "documents")
    frame = session.table("tickets")
    dataset.create_version("v1", frame, shuffle=False, comment="the first", partition_by="label")
    assert dataset.list_versions() == ["v1"]
    version = dataset.select_version("v1").selected_version
    assert (version.name, version.comment, version.created_on.tzinfo is None) == (
        "v1",
        "the first",
        False,
    )
    job = Finetune(session).create("m", "arctic-extract", version.url())
    assert "no column file" in job.describe().error["message"]
    with pytest.raises(DatasetExistError):
        Dataset.create(session, "documents")
    with pytest.raises(DatasetExistError):
        dataset.create_version("v1", frame)
    dataset.delete_version("v1")
    with pytest.raises(DatasetNotExistError):
        dataset.select_version("v1")
    dataset.delete()
    with pytest.raises(DatasetNotExistError):
        dataset.list_versions()
    with pytest.raises(DatasetNotExistError):
        dataset.create_version("v1", frame)


def test_documents_are_extracted_by_snowpark(session, tmp_path):
    """Its functions put files on a stage, and ask them by position or by name."""
    (tmp_path / "bill.txt").write_text("Total: 12.00", encoding="utf-8")
    session.sql("CREATE STAGE docs").collect()
    session.file.put(f"{tmp_path}/bill.txt", "@docs", auto_compress=False)
    file, asked = to_file("@docs/bill.txt"), {"total": "What is the total?"}
    ((plain, scored),) = (
        session.table("tickets")
        .select(ai_extract(file, asked), ai_extract("Total: 12.00", asked, scores=True))
        .collect()
    )
    assert json.loads(plain) == {"error": None, "response": {"total": "12.00"}}
    assert json.loads(scored)["scoring"].keys() == {"total"}
