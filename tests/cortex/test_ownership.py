"""The comment by which a task knows its own job again."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.ownership import Owner, owner

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


def test_proof_is_the_same_at_each_try() -> None:
    """Another process of the same task makes the same proof, 32 hexadecimal digits."""
    assert replace(TASK).proof == TASK.proof
    assert re.fullmatch("[0-9a-f]{32}", TASK.proof)


def test_proof_is_the_same_in_each_release() -> None:
    """An upgrade between two tries does not make a task forget its job: this proof may never change."""
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
    # The same letters, divided otherwise.
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


def test_proof_of_another_task() -> None:
    """A proof differs if anything of the task does, even if the rest of the comment is the same."""
    owners = [TASK, *(replace(TASK, **other) for other in OTHERS)]
    assert len({one.proof for one in owners}) == len(owners)
    for one in owners:
        mine = job(one.mark(DATA))
        assert [other for other in owners if other.owns(mine)] == [one]


def test_comment() -> None:
    """People see whose job it is: the DAG, the task, the run, and of a mapped task which one."""
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
def test_odd_name(field: str, name: str) -> None:
    """Whatever is in a name, the comment is one comment, of one line, that can be sent, and is a proof."""
    task: Owner = replace(TASK, **{field: name})  # type: ignore[arg-type]
    inner = task.comment.removeprefix("/*").removesuffix("*/")
    assert "*" not in inner
    assert not re.search(r"[\n\r'\"%;$\0\u2028\ud800-\udfff]", inner)
    assert task.comment.encode()
    marked = task.mark(DATA)
    # What Cortex makes of it: a query in parentheses.
    assert source_query.without_terminator("training_data", marked) == marked
    assert task.owns(job(marked))
    assert not TASK.owns(job(marked))


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(), st.text(st.characters()))
def test_any_name(dag_id: str, task_id: str, run_id: str) -> None:
    """So it is with any letters at all."""
    task = replace(TASK, dag_id=dag_id, task_id=task_id, run_id=run_id)
    marked = task.mark(DATA)
    assert source_query.without_terminator("training_data", f"{marked}; -- all") == marked
    assert task.owns(job(marked))


def test_name_in_other_letters() -> None:
    """Letters of any language are shown as they are."""
    task = replace(TASK, dag_id="Anfragen_für_März", run_id="manual__2026-01-01T00:00:00+00:00")
    assert (
        owner(job(task.mark(DATA))) == "Anfragen_für_März.start manual__2026-01-01T00:00:00+00:00"
    )


def test_owner() -> None:
    """Who has started a job can be read from its data."""
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
def test_job_of_nobody(data: str | None) -> None:
    """Data without such a comment says nothing of who has started the job."""
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
def test_comment_in_another_form(data: str) -> None:
    """Cortex may return the query with other blanks, or something around it: the proof is in it still."""
    mine = job(data.format(data=DATA, proof=TASK.proof))
    assert TASK.owns(mine)
    assert owner(mine) == "tickets.start weekly_1"


def test_comment_without_a_name() -> None:
    """A proof alone is one, and says nothing to people."""
    mine = job(f"{DATA} /* airflow-task {TASK.proof} */")
    assert TASK.owns(mine)
    assert owner(mine) is None


def test_copied_query() -> None:
    """A query that is copied from another job has that job's comment: the last one counts."""
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
def test_comment_within_the_data(within: str) -> None:
    """What looks like a comment of a task within the data does not hide the one at its end."""
    data = within.format(proof=replace(TASK, run_id="weekly_0").proof)
    mine = job(TASK.mark(data))
    assert TASK.owns(mine)
    assert owner(mine) == "tickets.start weekly_1"


@pytest.mark.parametrize(
    "data",
    ["snow://dataset/db.schema.ds/versions/v1", " SNOW://dataset/x", "@stage/train.jsonl", " @~/a"],
)
def test_data_that_is_elsewhere(data: str) -> None:
    """Data that is no query cannot carry a comment, and stays as it is."""
    assert TASK.mark(data) == data
    assert not TASK.owns(job(TASK.mark(data)))
