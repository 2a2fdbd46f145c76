"""The operator that compares models by their answers to the same rows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.operators import CortexEvaluateOperator
from tests.account import create_table, execute
from tests.worker import Result, Store, Worker

GOOD = "CORTEX_DB.PUBLIC.GOOD"
POOR = "CORTEX_DB.PUBLIC.POOR"

TICKETS = (
    ("red light", "stop"),
    ("green light", "Go "),
    ("dark green light", "go"),
    ("dark red light", "STOP"),
)
"""Prompts, and the expected answers."""

Evaluate = Callable[..., Result]

IN_BOTH_WAYS = pytest.mark.parametrize(
    "evaluate", [False, True], indirect=True, ids=["worker", "deferred"]
)


@pytest.fixture
def account(connection: str, cortex_emulator: Emulator) -> Emulator:
    """Have a model that is always right, one that is right every other time, and data."""
    learned = {
        GOOD: (("red light", "stop"), ("green light", "go")),
        POOR: (("red light", "go"), ("green light", "go")),
    }
    for model, pairs in learned.items():
        cortex_emulator.jobs.add(model=model, pairs=pairs, life=Life.at_once())
    create_table(cortex_emulator, "tickets", TICKETS, "prompt, completion")
    cortex_emulator.query_life = Life.by_looks(1)
    return cortex_emulator


def operator(**changes: Any) -> CortexEvaluateOperator:
    """Return a task that compares both models."""
    arguments: dict[str, Any] = {"task_id": "evaluate", "models": [POOR, GOOD], "data": "tickets"}
    arguments |= {"prompt_column": "prompt", "expected_column": "completion"}
    return CortexEvaluateOperator(**arguments | changes)


@pytest.fixture
def evaluate(
    request: Any, account: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> Evaluate:
    """Run the operator, without pauses: by default on the worker alone."""
    monkeypatch.setattr("airflow_provider_cortex.tasks.staged_task.time.sleep", lambda _: None)
    deferrable = getattr(request, "param", False)

    def run(facts: dict[str, Any] | None = None, **changes: Any) -> Result:
        return worker.run(lambda: operator(**{"deferrable": deferrable} | changes), **(facts or {}))

    return run


def prompted(emulator: Emulator) -> int:
    """Return how many statements have asked models for answers."""
    return sum("AI_COMPLETE" in query.sql for query in emulator.queries.all())


def tables(emulator: Emulator) -> set[str]:
    """Return the names of all tables."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'PUBLIC'"
    return {name for (name,) in execute(emulator, query)}


def scores(result: Result) -> dict[str, float | None]:
    """Return each model's score."""
    return {one["model"]: one["score"] for one in result.xcoms["scores"]["models"]}


@IN_BOTH_WAYS
def test_the_best_model_is_returned_with_all_scores(evaluate: Evaluate, account: Emulator) -> None:
    """XComs: the winner, twice, and a report; no row passes through Airflow."""
    result = evaluate()
    assert result.state == "success", result
    assert result.xcoms["return_value"] == result.xcoms["winner"] == GOOD
    report = result.xcoms["scores"]
    assert (report["rows"], report["unscored"], report["winner"]) == (4, 0, GOOD)
    assert scores(result) == {POOR: 0.5, GOOD: 1.0}
    assert all(one["errors"] == 0 and one["prompt_tokens"] > 0 for one in report["models"])
    (comparison,) = report["comparisons"]
    assert (comparison["model"], comparison["other"], comparison["gain"]) == (GOOD, POOR, 0.5)
    assert (comparison["better"], comparison["worse"]) == (2, 0)
    assert comparison["could_be_chance"]
    assert tables(account) == {"TICKETS"}
    assert prompted(account) == 1


def test_the_log_has_a_readable_table(evaluate: Evaluate, log_lines: Any) -> None:
    """People see models, scores and whether a difference could be chance."""
    evaluate(baseline=POOR, models=GOOD)
    log = "\n".join(log_lines())
    assert "4 rows" in log
    assert f"* {GOOD}            1.000   0.0%" in log
    assert f"  {POOR} (baseline) 0.500   0.0%" in log
    gain = f"{GOOD} gains +0.500 over {POOR} (better in 2 rows, worse in 0)"
    assert f"{gain}: this could be chance (p = 0.5)" in log


@IN_BOTH_WAYS
def test_people_can_read_prompts_answers_and_scores(evaluate: Evaluate, account: Emulator) -> None:
    """The destination has a row for each row of the data and model."""
    assert evaluate(destination="compared").state == "success"
    columns = "model, prompt, expected, answer, score, error"
    rows = execute(account, f"SELECT {columns} FROM compared ORDER BY 1, 2")
    assert len(rows) == 8
    assert rows[0] == (GOOD, "dark green light", "go", "go", 1.0, None)
    assert (POOR, "red light", "stop", "go", 0.0, None) in rows
    assert tables(account) == {"TICKETS", "COMPARED"}
    assert "if_exists" in str(evaluate(destination="compared").error)
    assert prompted(account) == 1
    assert evaluate(destination="compared", if_exists="append").state == "success"
    assert evaluate(destination="compared", if_exists="replace").state == "success"
    assert execute(account, "SELECT COUNT(*) FROM compared") == [(8,)]


@pytest.mark.parametrize("gate", ["fail", "skip"])
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"models": POOR, "min_score": 0.6}, "the best score is 0.500, of model"),
        ({"models": GOOD, "baseline": GOOD, "min_gain": 0.1}, "gains 0.000 over"),
        ({"baseline": POOR, "min_gain": 0.6}, "less than min_gain = 0.6"),
    ],
)
def test_a_missed_limit_fails_or_skips(
    limits: dict[str, Any], reason: str, gate: str, evaluate: Evaluate
) -> None:
    """The message names the figure and the limit; the scores are pushed, a winner is not."""
    result = evaluate(gate=gate, **limits)
    assert result.state == {"fail": "failed", "skip": "skipped"}[gate]
    assert reason in str(result.error)
    assert result.xcoms["scores"]["rows"] == 4
    assert "winner" not in result.xcoms


@pytest.mark.parametrize("baseline", [None, "", " None"])
def test_without_a_model_in_use_there_is_nothing_to_gain(
    baseline: str | None, evaluate: Evaluate
) -> None:
    """In the first week no model is in use: min_gain does not apply."""
    result = evaluate(models=GOOD, baseline=baseline, min_gain=0.5)
    assert result.xcoms["winner"] == GOOD
    assert result.xcoms["scores"]["comparisons"] == []


def test_the_model_in_use_wins_a_draw(evaluate: Evaluate, account: Emulator) -> None:
    """Nothing is replaced without a reason."""
    other = "CORTEX_DB.PUBLIC.OTHER"
    account.jobs.add(model=other, pairs=(("red", "stop"), ("green", "go")), life=Life.at_once())
    assert evaluate(models=[other, GOOD], baseline=GOOD).xcoms["winner"] == GOOD


@IN_BOTH_WAYS
@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("similarity", {POOR: 0.5, GOOD: 1.0}),
        ("IFF(CONTAINS(LOWER(answer), LOWER(TRIM(expected))), 10, 4)", {POOR: 7.0, GOOD: 10.0}),
        ("LENGTH(prompt) % 2 -- per cent, and a comment", {POOR: 0.5, GOOD: 0.5}),
    ],
)
def test_answers_are_scored_in_sql(
    score: str, expected: dict[str, float], evaluate: Evaluate
) -> None:
    """By AI_SIMILARITY, or by any expression over prompt, expected and answer."""
    result = evaluate(score=score)
    assert result.state == "success", result
    assert scores(result) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": "answer = nothing"}, "score cannot be read"),
        ({"score": "1; DROP TABLE tickets"}, "score must be one statement"),
        (
            {"prompt_column": "body"},
            'prompt_column body is not a column of the data, which has "PR',
        ),
        ({"expected_column": "answer"}, "expected_column answer is not a column"),
        ({"data": "no_such_table"}, "data cannot be read"),
        ({"data": " "}, "data must be non-empty"),
        ({"models": []}, "models must be from 1 to 20; got 0"),
        ({"models": [GOOD, None]}, "models"),
        ({"models": {"a": 1}}, "models must be a list"),
        ({"score": "judge"}, 'judge_model belongs to score="judge"'),
        ({"judge_model": "llama3.1-8b"}, 'judge_model belongs to score="judge"'),
        ({"destination": "a b"}, "destination must be an identifier"),
        ({"min_score": "much"}, "min_score must be a number"),
        ({"sample": "1.5"}, "sample must be a whole number"),
    ],
)
def test_invalid_arguments_are_rejected_before_anything_is_paid_for(
    changes: dict[str, Any], message: str, evaluate: Evaluate, account: Emulator
) -> None:
    """The error names the argument, and is not retried."""
    rendered = {name: value for name, value in changes.items() if name in {"min_score", "sample"}}

    def make() -> CortexEvaluateOperator:
        task = operator(**changes | dict.fromkeys(rendered, "{{ later }}"))
        for name, value in rendered.items():
            setattr(task, name, value)
        return task

    result = Worker().run(make)
    assert result.state == "failed"
    assert message in str(result.error)
    assert prompted(account) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"gate": "warn"},
        {"if_exists": "ignore"},
        {"min_score": float("nan")},
        {"max_unscored_rows": 1.5},
        {"sample": 0},
        {"sample": True},
    ],
)
def test_wrong_literals_are_rejected_when_the_dag_file_is_parsed(changes: dict[str, Any]) -> None:
    """As Airflow shows an import error."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        operator(**changes)


@IN_BOTH_WAYS
def test_data_without_rows_misses_the_gate(evaluate: Evaluate, account: Emulator) -> None:
    """There is nothing to judge by; nothing has been paid for."""
    result = evaluate(data="SELECT * FROM tickets WHERE FALSE")
    assert result.state == "failed"
    assert "the data has no rows" in str(result.error)
    assert tables(account) == {"TICKETS"}


def test_one_row_is_enough_for_a_score_but_not_for_a_difference(evaluate: Evaluate) -> None:
    """A single row can always be chance."""
    result = evaluate(data="SELECT * FROM tickets WHERE prompt = 'red light'")
    assert scores(result) == {POOR: 0.0, GOOD: 1.0}
    assert result.xcoms["scores"]["comparisons"][0]["p_value"] == 1.0


@IN_BOTH_WAYS
def test_rows_of_null_are_errors_or_do_not_count(evaluate: Evaluate) -> None:
    """Without a prompt there is no answer, and without an expected answer no score."""
    without_prompt = "SELECT * FROM tickets UNION ALL SELECT NULL, 'stop'"
    result = evaluate(data=without_prompt)
    assert scores(result) == {POOR: 0.4, GOOD: 0.8}
    assert [one["errors"] for one in result.xcoms["scores"]["models"]] == [1, 1]
    without_expected = "SELECT * FROM tickets UNION ALL SELECT 'red light', NULL"
    result = evaluate(data=without_expected, max_unscored_rows=0.5)
    assert scores(result) == {POOR: 0.5, GOOD: 1.0}
    assert result.xcoms["scores"]["unscored"] == 1
    result = evaluate(data=without_expected)
    assert "1 of 5 rows have no score, more than max_unscored_rows = 0.1" in str(result.error)
    result = evaluate(data="SELECT NULL AS prompt, NULL AS completion FROM tickets")
    assert result.state == "failed"
    assert "no model has answered any of the 4 rows" in str(result.error)


@IN_BOTH_WAYS
def test_a_model_that_does_not_exist_cannot_win(evaluate: Evaluate) -> None:
    """All of its rows are errors; if it is the only one, the task fails with Cortex's message."""
    result = evaluate(models=["CORTEX_DB.PUBLIC.NONE", POOR], min_score=0.0)
    assert result.xcoms["winner"] == POOR
    assert result.xcoms["scores"]["models"][0]["error_rate"] == 1.0
    result = evaluate(models="CORTEX_DB.PUBLIC.NONE")
    assert result.state == "failed"
    assert "no model has answered any of the 4 rows" in str(result.error)
    assert "CORTEX_DB.PUBLIC.NONE" in str(result.error)


def test_quoted_names_are_kept(evaluate: Evaluate, account: Emulator) -> None:
    """Names of models, tables and columns may need quotes."""
    model = 'CORTEX_DB.PUBLIC."it\'s 100% ""new"""'
    account.jobs.add(model=model, pairs=TICKETS, life=Life.at_once())
    execute(
        account, 'CREATE TABLE "my %" AS SELECT prompt AS "p 1", completion AS "c" FROM tickets'
    )
    result = evaluate(
        models=[model],
        data='"my %"',
        prompt_column="p 1",
        expected_column='"c"',
        destination='"%s"',
    )
    assert result.xcoms["winner"] == model
    assert tables(account) == {"TICKETS", "my %", "%s"}


def test_a_sample_asks_for_fewer_rows(evaluate: Evaluate) -> None:
    """All models are asked the same ones."""
    report = evaluate(sample="3").xcoms["scores"]
    assert report["rows"] == 3


@IN_BOTH_WAYS
@pytest.mark.parametrize("statement", [0, 1], ids=["answers", "scores"])
def test_a_retry_continues_with_the_statement_of_a_dead_worker(
    statement: int, account: Emulator, worker: Worker, evaluate: Evaluate
) -> None:
    """On Airflow 3.3 nothing is paid for twice, whichever statement was running."""
    account.query_life = Life.by_looks(20)
    polls = 0

    def die(_: float) -> None:
        nonlocal polls
        polls += 1
        if len(account.queries.all()) > statement:
            raise KeyboardInterrupt

    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_cortex.tasks.staged_task.time.sleep", die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(lambda: operator(deferrable=False), **facts)
    assert account.queries.all()[-1].status is QueryStatus.RUNNING
    result = evaluate(facts=facts)
    assert result.xcoms["winner"] == GOOD
    assert len(account.queries.all()) == 2
    assert prompted(account) == 1


@IN_BOTH_WAYS
def test_a_retry_uses_the_result_of_a_try_that_died_at_its_end(
    account: Emulator, evaluate: Evaluate
) -> None:
    """The worst moment: all is paid for, but Airflow has not stored the XCom yet. Airflow 3.3."""
    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store(), "max_tries": 1}
    first = evaluate(facts=facts, retries=1)
    again = facts | {"try_number": 2}
    second = evaluate(facts=again, retries=1)
    assert second.xcoms["scores"] == first.xcoms["scores"]
    assert second.xcoms["winner"] == GOOD
    assert prompted(account) == 1
    evaluate(facts=again | {"try_number": 3, "max_tries": 3}, retries=1)
    assert prompted(account) == 2, "a task that was cleared evaluates anew"


def test_execution_timeout_ends_the_wait_and_the_statement(
    account: Emulator, worker: Worker
) -> None:
    """As for every task; also while it is deferred."""
    account.query_life = Life.by_time(3600)
    result = worker.run(lambda: operator(deferrable=True, execution_timeout=timedelta(minutes=5)))
    assert "execution_timeout has passed" in str(result.error)
    (query,) = account.queries.all()
    assert query.status is QueryStatus.ABORTED


def test_better_data_give_a_better_score(account: Emulator, evaluate: Evaluate) -> None:
    """A model of 300 examples beats one of 20 by more than chance."""
    kinds = [f"colour{number}" for number in range(60)]
    learned = [(f"the {kind} light, please", f"answer {kind}") for kind in kinds]
    many = tuple(learned * 5)
    few = tuple(learned[:20])
    for model, pairs in {"CORTEX_DB.PUBLIC.FEW": few, "CORTEX_DB.PUBLIC.MANY": many}.items():
        account.jobs.add(model=model, pairs=pairs, life=Life.at_once())
    held_out = [
        (f"what about {kind}", answer) for kind, (_, answer) in zip(kinds, learned, strict=True)
    ]
    create_table(account, "held_out", held_out, "prompt, completion")
    result = evaluate(models=["CORTEX_DB.PUBLIC.FEW", "CORTEX_DB.PUBLIC.MANY"], data="held_out")
    assert result.xcoms["winner"] == "CORTEX_DB.PUBLIC.MANY"
    (comparison,) = result.xcoms["scores"]["comparisons"]
    assert not comparison["could_be_chance"]
    assert comparison["p_value"] < 0.001
