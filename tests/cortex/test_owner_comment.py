"""The comment by which a task recognizes its own job."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.owner_comment import Owner, owner

TASK = Owner(
    deployment="https://airflow.example.com",
    dag_id="tickets",
    task_id="start",
    run_id="weekly_1",
    map_index=-1,
    call="start lights",
)

DATA = "SELECT prompt, completion FROM train"


def job(training_data: str | None) -> FineTuneJob:
    """Return a job as DESCRIBE returns it."""
    record = {"id": "ft_1", "status": "PENDING", "training_data": training_data}
    return FineTuneJob.parse(record)


def test_the_proof_is_the_same_in_each_try() -> None:
    """It has 32 hexadecimal digits."""
    assert replace(TASK).proof == TASK.proof
    assert re.fullmatch("[0-9a-f]{32}", TASK.proof)


def test_the_proof_is_the_same_in_each_release() -> None:
    """A task recognizes its job after an upgrade: this proof must never change."""
    assert TASK.proof == "dfc8d0c43c19ddb34d61098ef33ba33e"


OTHERS: list[dict[str, Any]] = [
    {"deployment": "https://staging.example.com"},
    {"deployment": ""},
    {"dag_id": "ticket"},
    {"task_id": "Start"},
    {"run_id": "weekly_2"},
    {"map_index": 0},
    {"map_index": 1},
    {"call": "start lights_2"},
    # The same characters, distributed differently.
    {"dag_id": "tickets.start", "task_id": ""},
    {"dag_id": "", "task_id": "tickets.start"},
    {"dag_id": "tickets', task_id='start"},
    {"task_id": "start weekly_1", "run_id": ""},
    {"run_id": "weekly_1 "},
    {"run_id": "weekly_1\n"},
    {"run_id": "weekly\udce41"},
    {"run_id": "weekly?1"},
    {"run_id": "weekly*1"},
]


def test_every_task_has_its_own_proof() -> None:
    """Any difference counts, even if the rest of the comment is the same."""
    owners = [TASK, *(replace(TASK, **other) for other in OTHERS)]
    assert len({one.proof for one in owners}) == len(owners)
    for one in owners:
        mine = job(one.mark(DATA))
        assert [other for other in owners if other.owns(mine)] == [one]


def test_the_comment_names_the_task_instance() -> None:
    """It shows the DAG, the task, the run and, for a mapped task, the map index."""
    assert TASK.comment == f"/* airflow-task {TASK.proof} tickets.start weekly_1 */"
    assert TASK.mark(DATA) == f"{DATA} {TASK.comment}"
    mapped = replace(TASK, map_index=0)
    assert mapped.comment == f"/* airflow-task {mapped.proof} tickets.start weekly_1 map_index=0 */"


ODD = [
    "*/; DROP TABLE train; /*",
    "*/",
    "/*",
    "/* airflow-task 0123456789abcdef0123456789abcdef me */",
    "it's",
    '"',
    "--",
    "a\nb",
    "a\r\nb",
    "\0",
    "$$",
    "%s %%",
    "задача",
    "発火",
    "😀",
    "\ud800",
    "\u202e",
    "\u2028",
    "manual__2026-01-01T00:00:00+00:00",
    "",
    "a" * 250,
]


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:20])
@pytest.mark.parametrize("field", ["deployment", "dag_id", "task_id", "run_id", "call"])
def test_a_comment_is_valid_for_odd_names(field: str, name: str) -> None:
    """It is a single line that can be sent, and still proves the owner."""
    task: Owner = replace(TASK, **{field: name})  # type: ignore[arg-type]
    inner = task.comment.removeprefix("/*").removesuffix("*/")
    assert "*" not in inner
    assert not re.search(r"[\n\r'\"%;$\0\u2028\ud800-\udfff]", inner)
    assert task.comment.encode()
    marked = task.mark(DATA)
    # Cortex puts the query in parentheses.
    assert source_query.without_terminator("training_data", marked) == marked
    assert task.owns(job(marked))
    assert not TASK.owns(job(marked))


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(), st.text(st.characters()))
def test_a_comment_is_valid_for_any_names(dag_id: str, task_id: str, run_id: str) -> None:
    """With random characters."""
    task = replace(TASK, dag_id=dag_id, task_id=task_id, run_id=run_id)
    marked = task.mark(DATA)
    assert source_query.without_terminator("training_data", f"{marked}; -- all") == marked
    assert task.owns(job(marked))


def test_names_keep_the_letters_of_any_language() -> None:
    """The comment shows them as they are."""
    task = replace(TASK, dag_id="Anfragen_für_März", run_id="manual__2026-01-01T00:00:00+00:00")
    assert (
        owner(job(task.mark(DATA))) == "Anfragen_für_März.start manual__2026-01-01T00:00:00+00:00"
    )


def test_the_owner_is_read_from_the_comment() -> None:
    """Anyone who can describe a job sees which task started it."""
    assert owner(job(TASK.mark(DATA))) == "tickets.start weekly_1"
    assert owner(job(replace(TASK, map_index=3).mark(DATA))) == "tickets.start weekly_1 map_index=3"


@pytest.mark.parametrize(
    "data",
    [
        *(None, "", DATA, f"{DATA} /* all */", "/* airflow-task */", f"{DATA} -- airflow-task"),
        f"/* airflow-task {TASK.proof[:31]} tickets.start */",
        f"/* airflow-task {TASK.proof}0 tickets.start */",
        f"/* airflow-task {TASK.proof.upper()} tickets.start */",
        f"/* airflow-tasks {TASK.proof} tickets.start */",
        f"airflow-task {TASK.proof} tickets.start",
        f"{DATA} /* airflow-task {TASK.proof} tickets.start",
    ],
)
def test_a_job_without_a_valid_comment_has_no_owner(data: str | None) -> None:
    """Any part of the comment may be missing or changed."""
    assert owner(job(data)) is None
    assert not TASK.owns(job(data))


@pytest.mark.parametrize(
    "data",
    [
        "{data}/*airflow-task {proof} tickets.start weekly_1*/",
        "{data}\n/*\n  airflow-task\t{proof}\n  tickets.start weekly_1\n*/",
        "{data}  /*   airflow-task   {proof}   tickets.start weekly_1   */  ",
        "{data} /* airflow-task {proof} tickets.start weekly_1 */;",
        "{data} /* airflow-task {proof} tickets.start weekly_1 */ -- all",
        "SELECT * FROM ({data} /* airflow-task {proof} tickets.start weekly_1 */)",
        "/* airflow-task {proof} tickets.start weekly_1 */ {data}",
    ],
)
def test_a_reformatted_comment_is_still_a_proof(data: str) -> None:
    """Cortex may change whitespace, or put something around the query."""
    mine = job(data.format(data=DATA, proof=TASK.proof))
    assert TASK.owns(mine)
    assert owner(mine) == "tickets.start weekly_1"


def test_a_comment_without_a_name_is_a_proof() -> None:
    """There is no owner to display then."""
    mine = job(f"{DATA} /* airflow-task {TASK.proof} */")
    assert TASK.owns(mine)
    assert owner(mine) is None


def test_the_last_comment_of_a_copied_query_counts() -> None:
    """The query of another job still has that job's comment."""
    other = replace(TASK, run_id="weekly_0")
    copied = job(TASK.mark(other.mark(DATA)))
    assert TASK.owns(copied)
    assert not other.owns(copied)
    assert owner(copied) == "tickets.start weekly_1"


@pytest.mark.parametrize(
    "within",
    [
        "SELECT '/* airflow-task {proof} me */' AS prompt FROM train",
        "SELECT '/* airflow-task {proof} ' AS prompt FROM train",
        "SELECT 1 /* airflow-task {proof} * */",
        "SELECT 1 -- /* airflow-task {proof} me\n",
    ],
)
def test_a_similar_text_within_the_query_does_not_count(within: str) -> None:
    """It does not hide the comment at the end."""
    data = within.format(proof=replace(TASK, run_id="weekly_0").proof)
    mine = job(TASK.mark(data))
    assert TASK.owns(mine)
    assert owner(mine) == "tickets.start weekly_1"


@pytest.mark.parametrize(
    "data",
    ["snow://dataset/db.schema.ds/versions/v1", " SNOW://dataset/x", "@stage/train.jsonl", " @~/a"],
)
def test_the_path_of_a_dataset_has_no_comment(data: str) -> None:
    """It stays as it is, so that job has no owner."""
    assert TASK.mark(data) == data
    assert not TASK.owns(job(TASK.mark(data)))
