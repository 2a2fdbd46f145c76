"""Invalid arguments, and limits that the best model misses."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexEvaluateOperator, CortexPromoteModelOperator
from tests.account import tables
from tests.evaluation.lights import GOOD, IN_BOTH_WAYS, POOR, Evaluate, operator, prompted
from tests.worker import Worker


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


def test_the_baseline_may_be_an_alias(evaluate: Evaluate, worker: Worker) -> None:
    """In the first week there is none; later it is the model in use when the task started."""
    which: dict[str, Any] = {"models": GOOD, "baseline_alias": "in_use", "min_gain": 0.1}
    assert evaluate(**which).xcoms["scores"]["baseline"] is None
    worker.run(lambda: CortexPromoteModelOperator(task_id="promote", model=POOR, alias="in_use"))
    for deferrable in False, True:
        result = evaluate(deferrable=deferrable, **which)
        assert result.xcoms["winner"] == GOOD
        assert result.xcoms["baseline"] == result.xcoms["scores"]["baseline"] == POOR
    with pytest.raises(ValueError, match="baseline"):
        operator(baseline=POOR, baseline_alias="in_use")


@IN_BOTH_WAYS
def test_data_without_rows_misses_the_gate(evaluate: Evaluate, account: Emulator) -> None:
    """There is nothing to judge by; nothing has been paid for."""
    result = evaluate(data="SELECT * FROM tickets WHERE FALSE")
    assert result.state == "failed"
    assert "the data has no rows" in str(result.error)
    assert tables(account) == {"TICKETS"}
