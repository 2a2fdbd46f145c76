"""A task adds a version to a dataset once, and returns its address."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.operators import CortexCreateDatasetOperator
from tests.account import execute
from tests.answer_table.signals import fail_after
from tests.datasets.conftest import Run
from tests.datasets.invoices import DATASET, QUERY, create, setup, versions
from tests.kill import killed_in_statement
from tests.tasks import in_dag
from tests.worker import Worker

pytestmark = pytest.mark.usefixtures("labelled")

V1 = {"version": "v1"}

OTHER = f"{QUERY} WHERE FALSE OR TRUE"
"""Another text with the same rows."""


def test_the_address_has_the_full_name_and_a_version_of_this_run(
    run: Run, cortex_emulator: Emulator
) -> None:
    """Its name has the run's date, and is the same for no other run."""
    result = run(run_id="scheduled__2026-11-28T00:00:00+00:00")
    (version,) = versions(cortex_emulator)
    assert re.fullmatch(r"run_2026_11_28_[0-9a-f]{12}", version)
    assert result.xcoms["return_value"] == f"snow://dataset/{DATASET}/versions/{version}"
    run(run_id="manual")
    assert len(versions(cortex_emulator)) == 2


def test_the_report_has_the_figures(run: Run) -> None:
    """They have no value of a row."""
    assert run().xcoms["report"] == {
        "rows": 3,
        "files": 3,
        "questions": 6,
        "most_questions": 2,
        "null_rows": 0,
        "missing_files": 0,
        "unreadable_prompts": 0,
        "unreadable_responses": 0,
        "unequal_keys": 0,
        "rows_with_many_questions": 0,
    }


def test_the_metadata_name_the_task(run: Run, cortex_emulator: Emulator) -> None:
    """Anyone can see which task instance added a version, and which version of a query it was."""
    run(V1, run_id="weekly_1", map_index=2)
    ((_, _, _, metadata),) = setup(cortex_emulator, "SHOW VERSIONS IN DATASET invoices")
    facts = json.loads(str(metadata))
    assert (facts["dag_id"], facts["task_id"], facts["run_id"], facts["map_index"]) == (
        *("tickets", "create", "weekly_1", 2),
    )


@pytest.mark.parametrize("if_exists", ["adopt", "fail", "create"])
def test_a_retry_returns_the_version_that_is_there(
    if_exists: str, run: Run, cortex_emulator: Emulator
) -> None:
    """A worker that died after ADD VERSION has added it; then its table may be gone."""
    changes = {"if_exists": if_exists}
    first = run(changes)
    execute(cortex_emulator, "DROP TABLE labelled")
    again = run(changes, again=first)
    assert again.xcoms == first.xcoms
    assert len(versions(cortex_emulator)) == 1


@pytest.mark.parametrize("if_exists", ["fail", "create"])
def test_a_version_whose_answer_was_lost_is_found(
    if_exists: str, run: Run, cortex_emulator: Emulator
) -> None:
    """If the answer to ADD VERSION does not arrive, the retry finds the version."""
    fail_after(4, cortex_emulator, "reset")  # SHOW, compile, check, CREATE: then ADD VERSION
    first = run({"if_exists": if_exists})
    assert first.state == "up_for_retry"
    assert len(versions(cortex_emulator)) == 1
    second = run({"if_exists": if_exists}, again=first)
    assert second.state == "success"
    assert len(versions(cortex_emulator)) == 1


def test_a_version_that_was_added_meanwhile_is_returned(
    run: Run, cortex_emulator: Emulator
) -> None:
    """The statement of an earlier try may end only when the next try adds its version."""
    first = run()
    # The next try does not see it at first.
    cortex_emulator.faults.add("error", at="statement", sqlstate="42501", code=3001, requests=1)
    again = run(again=first)
    assert again.xcoms["return_value"] == first.xcoms["return_value"]
    assert len(versions(cortex_emulator)) == 1


def test_a_version_of_the_same_query_is_adopted(run: Run, cortex_emulator: Emulator) -> None:
    """Whichever task made it: its rows are not compared."""
    first = run(V1, run_id="weekly_1")
    second = run(V1, run_id="weekly_2")
    assert second.xcoms == first.xcoms
    assert versions(cortex_emulator) == ["v1"]


def test_a_version_of_another_query_is_not_adopted(run: Run, cortex_emulator: Emulator) -> None:
    """The error names who made it; it is not retried."""
    run(V1, run_id="weekly_1")
    second = run({**V1, "query": OTHER}, run_id="weekly_2")
    assert second.state == "failed"
    assert str(second.error).startswith(
        "version v1 exists, and was made from another query, by task tickets.create of run weekly_1."
    )
    assert 'if_exists="create"' in str(second.error)


def test_a_version_without_metadata_is_adopted_with_a_warning(
    run: Run, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A notebook may have made it, from whatever query."""
    setup(cortex_emulator, "CREATE DATASET invoices")
    setup(cortex_emulator, f"ALTER DATASET invoices ADD VERSION 'v1' FROM ({QUERY})")
    result = run(V1)
    assert result.xcoms == {"return_value": f"snow://dataset/{DATASET}/versions/v1"}
    assert any("do not say from which query it was made" in line for line in log_lines())


@pytest.mark.parametrize("query", [QUERY, OTHER], ids=["same query", "other query"])
def test_if_exists_fail_fails_the_task(query: str, run: Run, cortex_emulator: Emulator) -> None:
    """If another task instance made the version, also from the same query."""
    run(V1, run_id="weekly_1")
    second = run({**V1, "query": query, "if_exists": "fail"}, run_id="weekly_2")
    assert second.state == "failed"
    assert (
        'version v1 exists, made by task tickets.create of run weekly_1, and if_exists is "fail"'
        in (str(second.error))
    )


def test_if_exists_create_adds_a_suffix(run: Run, cortex_emulator: Emulator) -> None:
    """Each task instance adds one version, whatever the query, and its retry finds it."""
    changes = {**V1, "if_exists": "create"}
    runs = [run(changes, run_id=f"weekly_{number}") for number in range(3)]
    again = [run(changes, again=first) for first in runs]
    assert versions(cortex_emulator) == ["v1", "v1_2", "v1_3"]
    assert [result.xcoms for result in again] == [result.xcoms for result in runs]


def test_a_killed_task_adds_no_version(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """While its rows are checked: it is retried."""
    task = create()
    with killed_in_statement(task, cortex_emulator, number=3):
        result = worker.run(lambda: task)
    assert result.state == "up_for_retry"
    assert "was killed" in str(result.error)
    assert versions(cortex_emulator) == []


@pytest.mark.parametrize("version", ["", "a/b", "v 1", "_", "v" * 129, "ü", "None", "v?"])
def test_a_version_s_name_means_the_same_in_an_address(
    version: str, run: Run, cortex_emulator: Emulator
) -> None:
    """Other names are rejected before the login."""
    result = run({"version": version})
    assert result.state == "failed"
    assert str(result.error).startswith("version must ")
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("dataset", ["", "a b", "a.b.c.d", "@s"])
def test_an_invalid_dataset_is_rejected(dataset: str, run: Run, cortex_emulator: Emulator) -> None:
    """Before the login, by its argument's name."""
    result = run({"dataset": dataset})
    assert result.state == "failed"
    assert str(result.error).startswith("dataset must ")
    assert cortex_emulator.logins == 0


def test_the_tables_of_the_query_are_lineage(run: Run, worker: Worker) -> None:
    """OpenLineage's provider asks the task for them once it has ended."""
    task = create(query="SELECT * FROM labelled")
    assert task.get_openlineage_facets_on_complete(None) is None
    worker.run(lambda: task)
    lineage: Any = task.get_openlineage_facets_on_complete(None)
    assert [table.name for table in lineage.inputs] == ["CORTEX_DB.PUBLIC.LABELLED"]


def test_an_unknown_if_exists_is_rejected_when_the_dag_is_parsed() -> None:
    """As every word that must be one of several."""
    with pytest.raises(ValueError, match="if_exists must be one of adopt, create, fail; got "):
        create(if_exists="replace")


def test_all_arguments_may_be_templates(worker: Worker, cortex_emulator: Emulator) -> None:
    """A version may be named after the run, and a dataset be quoted."""

    def make() -> CortexCreateDatasetOperator:
        return create(
            dataset='"{{ name }}"',
            query="{{ table }}",
            version="v{{ ds_nodash }}",
            if_exists="{{ word }}",
        )

    values: dict[str, Any] = {
        "name": "my invoices",
        "table": "labelled",
        "ds_nodash": "20261128",
        "word": "fail",
    }
    result = worker.run(lambda: in_dag(make, **values))
    uri = 'snow://dataset/CORTEX_DB.PUBLIC."my invoices"/versions/v20261128'
    assert result.xcoms["return_value"] == uri
