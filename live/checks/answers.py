"""Checks with answers of a base model. Each costs some tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.cortex.completion import Completion, Question
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import (
    ArgumentError,
    CompletionError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.safe_text import excerpt
from live.account import BASE_MODEL, Account
from live.check import check
from live.finding import Finding, verdict
from live.sql_error import error_of

PARAMETERS: Mapping[str, Any] = {"temperature": 0, "max_tokens": 10}


@check("parameters-from-json")
def parameters_from_json(account: Account) -> Finding:
    """Ask a base model with `max_tokens` in PARSE_JSON."""
    return _answers(
        account, Question(model=BASE_MODEL, prompt="Say OK.", model_parameters=PARAMETERS)
    )


@check("details-and-errors")
def details_and_errors(account: Account) -> Finding:
    """Ask a base model with both arguments, and read the number of tokens."""
    return _answers(account, Question(model=BASE_MODEL, prompt="Say OK.", with_usage=True))


@check("conversation-prompt")
def conversation_prompt(account: Account) -> Finding:
    """Ask a base model with a conversation of one message."""
    messages = [{"role": "user", "content": "Say OK."}]
    return _answers(account, Question(model=BASE_MODEL, prompt=messages))


@check("alias-body")
def alias_body(account: Account) -> Finding:
    """Create an alias of a base model, and call it."""
    cells: list[object] = []

    def call() -> None:
        account.create_alias()
        sql = f"SELECT {account.alias}('Say OK.')"
        cells.extend(account.hook.row(Call(sql, ()), width=1, about="call the alias"))

    error = error_of(call)
    facts = str(error) if error else f"the alias returned {excerpt(str(cells[0]))}"
    return verdict(facts, is_right=bool(cells and cells[0]))


@check("alias-comment")
def alias_comment(account: Account) -> Finding:
    """Create an alias of a base model, and read its comment."""
    expected = account.create_alias()
    try:
        found = account.hook.alias(account.alias)
    except ArgumentError as error:
        return verdict(str(error), is_right=False)
    return verdict(f"SHOW USER FUNCTIONS returned {found}", is_right=found == expected)


def _answers(account: Account, question: Question) -> Finding:
    """Return whether the model answers, and if asked for it, reports the number of tokens."""
    found: list[Completion] = []
    try:
        error = error_of(lambda: found.extend(account.hook.completions(question)))
    except (CompletionError, UnreadableAnswerError) as failure:
        return verdict(str(failure), is_right=False)
    if error:
        return verdict(str(error), is_right=False)
    (completion,) = found
    facts = f"the answer: {excerpt(str(completion.answer))}; tokens: {completion.usage}"
    return verdict(facts, is_right=bool(completion.usage) or not question.with_usage)
