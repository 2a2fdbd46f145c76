"""The alias of a model: its function, and the comment that says which model it stands for."""

import json
from dataclasses import replace

import pytest

from airflow_provider_cortex.cortex import identifiers, model_alias
from airflow_provider_cortex.cortex.model_alias import ModelAlias
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.cortex.session_settings import PACKAGE
from airflow_provider_cortex.errors import ArgumentError

ALIAS = ModelAlias(
    model="DB.S.TRIAGE_2",
    previous_model="DB.S.TRIAGE_1",
    finetune_job_id="ft_1",
    dag_id="tickets",
    task_id="promote",
    run_id="weekly",
)
FUNCTION = identifiers.parse_argument("alias", "db.s.triage")
NAMESPACE = Namespace(database="support", schema="my ai")

HOSTILE = ("$$", "it's", "back\\slash\\", 'quo"te', "'; DROP --", "%s %", "\u202e\n", "\ud800 \0")


def shown(**changes: object) -> dict[str, object]:
    """Return a function as SHOW USER FUNCTIONS lists it."""
    names = {"catalog_name": "DB", "schema_name": "S", "name": "TRIAGE"}
    return {**names, "arguments": "TRIAGE(VARCHAR)", "description": ALIAS.comment} | changes


@pytest.mark.parametrize("text", HOSTILE)
def test_a_comment_is_read_as_it_was_written(text: str) -> None:
    """Whatever the ids and names are; the comment itself is ASCII without control characters."""
    alias = replace(ALIAS, model=text, run_id=text, previous_model=None)
    assert ModelAlias.read(alias.comment) == alias
    assert alias.comment.isascii()
    assert alias.comment.isprintable()


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "user-defined function",
        "[" * 100_000,
        "{}",
        '"alias"',
        json.dumps({"package": PACKAGE}),
        json.dumps({"package": PACKAGE, "alias_of": "M"}),
        json.dumps({"package": PACKAGE, "alias_of": None, "dag_id": "d"}),
        ALIAS.comment.replace(PACKAGE, "another-package"),
        ALIAS.comment[:-1],
    ],
)
def test_another_comment_is_none_of_ours(comment: object) -> None:
    """Only a complete comment with this package's mark makes a function an alias."""
    assert ModelAlias.read(comment) is None


def test_a_comment_of_a_later_release_is_read() -> None:
    """Fields that this release does not know are ignored."""
    assert ModelAlias.read(json.dumps({**json.loads(ALIAS.comment), "new": 1})) == ALIAS


def test_the_body_asks_the_model() -> None:
    """Quotes and backslashes of a name stay within its literal."""
    assert ALIAS.body == "AI_COMPLETE('DB.S.TRIAGE_2', prompt)"
    assert replace(ALIAS, model="a'\\b").body == "AI_COMPLETE('a''\\\\b', prompt)"


def test_the_statement_binds_what_is_not_a_name() -> None:
    """Comment and body are values: the driver escapes them. Names are quoted identifiers."""
    call = model_alias.promote(identifiers.parse_argument("alias", '"100%".s."a""b"'), ALIAS)
    assert call.sql == (
        'CREATE OR REPLACE FUNCTION "100%%"."S"."a""b"(prompt VARCHAR) COPY GRANTS RETURNS VARCHAR'
        " COMMENT = %s AS %s"
    )
    assert call.values == (ALIAS.comment, ALIAS.body)


def test_an_alias_is_found_by_its_exact_name() -> None:
    """LIKE ignores case and matches any character for an underscore: both are filtered."""
    others = [shown(name="triage"), shown(schema_name="s"), shown(catalog_name="DC")]
    assert model_alias.find("triage", FUNCTION, []) is None
    assert model_alias.find("triage", FUNCTION, others) is None
    assert model_alias.find("triage", FUNCTION, [*others, shown()]) == ALIAS


@pytest.mark.parametrize("others", [[], [shown()]])
def test_a_function_without_the_comment_is_not_ours(others: list[dict[str, object]]) -> None:
    """Nor is an alias beside another function of its name: which one a call means is unclear."""
    foreign = shown(description="mine", arguments="TRIAGE(NUMBER) RETURN NUMBER")
    with pytest.raises(ArgumentError, match=r"alias triage is a function .*TRIAGE\(NUMBER\)"):
        model_alias.find("triage", FUNCTION, [*others, foreign])


def test_all_aliases_are_found_by_their_comments() -> None:
    """Under any name, which is written as SQL reads it."""
    functions = [shown(description="mine"), shown(name="Ask me"), shown(catalog_name="OTHER")]
    found = dict(model_alias.find_all(functions))
    assert found == {'DB.S."Ask me"': ALIAS, "OTHER.S.TRIAGE": ALIAS}


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("DB.s.Triage_1", "DB.s.Triage_1"),
        (' DB.S."my model" ', 'DB.S."my model"'),
        ("triage", 'support."my ai".triage'),
        ('other."Triage"', 'support.other."Triage"'),
        ("llama3.1-8b", None),
        ("claude-4-sonnet", None),
        ("openai-gpt-4.1", None),
    ],
)
def test_a_tuned_model_has_a_full_name(name: str, full: str | None) -> None:
    """A base model has none. A full name is kept as Cortex has returned it."""
    assert model_alias.tuned_model("model", name, NAMESPACE) == full


@pytest.mark.parametrize("name", ["db.s.my-model", "x y", "a.b.c.d", '"', "it's", "m;"])
def test_a_name_of_no_kind_is_rejected(name: str) -> None:
    """Such as a tuned model's that lacks its quotes: it is not taken for a base model."""
    with pytest.raises(ArgumentError, match=r"^model must be an identifier"):
        model_alias.tuned_model("model", name, NAMESPACE)


def test_a_name_needs_a_database_and_a_schema() -> None:
    """An alias without them could be in any schema."""
    with pytest.raises(ArgumentError, match=r"^alias has no full name: .* names a schema\.$"):
        Namespace(database="db").full_name_of("alias", "triage")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("db.s.m", 'DB."S".M', True),
        ("db.s.m", 'DB.S."m"', False),
        ("Llama3.1-8B", "llama3.1-8b", True),
        ("db.s.m_1", "db.s.m", False),
    ],
)
def test_models_are_compared_as_snowflake_does(one: str, other: str, is_same: bool) -> None:
    """Case counts only in quotes."""
    assert model_alias.is_same_model(one, other) is is_same


@pytest.mark.parametrize("name", ["dag_id", "task_id", "run_id", "map_index"])
def test_a_task_instance_is_known_by_its_ids(name: str) -> None:
    """A retry is the same one; another run, or another mapped instance, is not."""
    assert ALIAS.is_of_same_task(replace(ALIAS, model="other"))
    assert not ALIAS.is_of_same_task(replace(ALIAS, **{name: 7}))  # type: ignore[arg-type]
