"""AI_COUNT_TOKENS with the unmodified driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.count_tokens_function import CountTokens
from airflow_provider_cortex.emulator.tuned_model import count_tokens

COUNT = "SELECT AI_COUNT_TOKENS('ai_complete', 'llama3.1-8b', %s)"


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("Hello, world!", 6), ("naïve\x0b 😀", 4), (None, None)]
)
def test_a_text_is_counted_in_tokens(cell, text, tokens):
    """It counts four ASCII letters at most as one token; NULL has no number of tokens."""
    assert cell(COUNT, text) == tokens


@given(st.lists(st.text() | st.none()))
def test_it_counts_as_training_does(texts):
    """What it counts times the epochs is what a job reports as trained tokens."""
    pa = pytest.importorskip("pyarrow")
    functions, models = (
        pa.array([word] * len(texts), pa.string()) for word in ("ai_complete", "m")
    )
    counted = CountTokens({"m"})(functions, models, pa.array(texts, pa.string())).to_pylist()
    assert counted == [None if text is None else count_tokens(text) for text in texts]


def test_all_rows_of_a_table_are_counted(cell, tickets):
    """Options may follow the text, and the function may be called by its full name."""
    count = "AI_COUNT_TOKENS('ai_complete', 'llama3.1-8b', prompt, NULL, FALSE)"
    assert cell(f"SELECT SUM({count}) FROM ({tickets})") == 40
    assert cell(f"SELECT SUM(SNOWFLAKE.CORTEX.{count}) FROM ({tickets})") == 40


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("'ai_complete', 'none', 'text'", "'model_name'"),
        ("'ai_complete', 'CORTEX_DB.PUBLIC.M', 'text'", "'model_name'"),
        ("'ai_complete', NULL, 'text'", "'model_name'"),
        ("'AI_COMPLETE', 'llama3.1-8b', 'text'", "'function_name'"),
        ("'complete', 'llama3.1-8b', 'text'", "'function_name'"),
        ("NULL, 'llama3.1-8b', 'text'", "'function_name'"),
        ("'text'", "Invalid argument types"),
        ("text => 'text', model => 'llama3.1-8b', function => 'ai_complete'", "Invalid argument"),
        ("'ai_complete', 'llama3.1-8b', 'text', NULL, TRUE", "does not emulate"),
    ],
)
def test_other_arguments_are_rejected(cortex_emulator, cell, arguments, problem):
    """A tuned model is rejected as an unknown one is, and names of functions are in lower case."""
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=(("a", "b"),))
    with pytest.raises(ProgrammingError, match=problem):
        cell(f"SELECT AI_COUNT_TOKENS({arguments})")


def test_without_the_role_the_function_is_unknown(cortex_emulator, cell):
    """It needs SNOWFLAKE.CORTEX_USER, as Cortex's other functions do."""
    cortex_emulator.has_cortex_user_role = False
    with pytest.raises(ProgrammingError, match="Unknown function AI_COUNT_TOKENS"):
        cell(COUNT, "text")
