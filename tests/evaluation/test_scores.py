"""How models are compared by their answers, and what people see of that."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AssetAlias

from airflow_provider_cortex.airflow_api.compat import EXTRAS_ARE_HASHED
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.account import create_table, execute, tables
from tests.evaluation.lights import GOOD, IN_BOTH_WAYS, POOR, TICKETS, Evaluate, prompted, scores
from tests.worker import AIRFLOW_2

DATA = Path(__file__).parents[2] / "example_dags" / "data" / "support_tickets.csv"


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


def test_more_training_data_gives_a_better_score(account: Emulator, evaluate: Evaluate) -> None:
    """A model that was trained with 300 tickets beats one of 20 by more than chance."""
    with DATA.open(encoding="utf-8", newline="") as file:
        labelled = [(row["prompt"], row["completion"]) for row in csv.DictReader(file)]
    create_table(account, "held_out", labelled[::16], "prompt, completion")
    others = [ticket for number, ticket in enumerate(labelled) if number % 16]
    assert len(others) == 300
    account.life = Life.at_once()
    with CortexHook() as hook:
        models = []
        for count in 20, 300:
            create_table(account, f"first_{count}", others[:count], "prompt, completion")
            query = f"SELECT prompt, completion FROM first_{count}"
            job_id = hook.create(f"after_{count}", "llama3.1-8b", query)
            models.append(hook.describe(job_id).outcome())
    result = evaluate(models=models, data="held_out")
    assert result.xcoms["winner"] == models[1]
    (comparison,) = result.xcoms["scores"]["comparisons"]
    assert not comparison["could_be_chance"]
    assert comparison["p_value"] < 0.01


@IN_BOTH_WAYS
def test_a_judge_scores_each_answer(evaluate: Evaluate, account: Emulator) -> None:
    """It reads prompt, expected answer and answer; people can read its reason."""
    result = evaluate(score="judge", judge_model="llama3.3-70b", destination="judged")
    assert scores(result) == {POOR: 0.5, GOOD: 1.0}
    reasons = execute(account, "SELECT COUNT(*) FROM judged WHERE judgement IS NOT NULL")
    assert reasons == [(8,)]
    (asked,) = [query.sql for query in account.queries.all() if "<expected>" in query.sql]
    assert "llama3.3-70b" in asked
    assert "score from 0 to 1" in asked


@IN_BOTH_WAYS
@pytest.mark.parametrize(
    "nonsense", ["I like it", '{"score": "high"}', '{"score": 11}', '{"reason": "good"}', "[]"]
)
def test_a_judge_that_answers_nonsense_decides_nothing(
    nonsense: str, evaluate: Evaluate, account: Emulator
) -> None:
    """Rows without a number from 0 to 1 do not count; too many of them miss the gate."""
    account.faults.add("unreadable", at="complete", text=nonsense, prompt="<expected>")
    result = evaluate(score="judge", judge_model="llama3.3-70b")
    assert result.state == "failed"
    assert "4 of 4 rows have no score" in str(result.error)
    assert result.xcoms["scores"]["unscored"] == 4
    assert scores(result) == {POOR: None, GOOD: None}


def test_the_best_model_s_asset_event_has_the_figures(evaluate: Evaluate) -> None:
    """A DAG that is scheduled on the asset can decide by them."""
    outlet = AssetAlias("tuned-models")
    result = evaluate(outlets=[outlet])
    accessor = result.instance.outlet_events[outlet]
    (event,) = accessor.dataset_alias_events if AIRFLOW_2 else accessor.asset_alias_events
    extra = event["extra"] if AIRFLOW_2 else event.extra
    report = extra["evaluation"]
    if EXTRAS_ARE_HASHED:
        assert frozenset(extra.items())
        report = json.loads(report)
    assert report == result.xcoms["scores"]
