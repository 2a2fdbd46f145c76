"""SHOW MODELS and DROP MODEL with the unmodified driver."""

import json
from datetime import UTC, datetime

import pytest
from snowflake.connector import DictCursor
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import Life

PAIRS = (("parcel", "shipping"),)


ASK = "SELECT AI_COMPLETE(%s, 'parcel')"


@pytest.fixture
def add(cortex_emulator):
    """Add models by their names."""

    def add(*models):
        for model in models:
            cortex_emulator.jobs.add(model=model, pairs=PAIRS)

    return add


@pytest.fixture
def shown(connect):
    """Run SHOW MODELS with what follows it, and return the names."""
    session = connect()

    def shown(rest="", session=session):
        rows = session.cursor(DictCursor).execute(f"SHOW MODELS {rest}").fetchall()
        return [f"{r['database_name']}.{r['schema_name']}.{r['name']}" for r in rows]

    return shown


@pytest.fixture
def describe_model(finetune):
    """Return the model that DESCRIBE reports."""
    return lambda job_id: json.loads(finetune("DESCRIBE", job_id))["model"]


def test_show_models_lists_a_tuned_model(cortex_emulator, connect, add):
    """In Snowflake's columns and their order. It was created when its job finished."""
    add("CORTEX_DB.PUBLIC.labeller")
    cursor = connect().cursor().execute("SHOW MODELS")
    assert [column.name for column in cursor.description] == [
        "created_on",
        "name",
        "model_type",
        "database_name",
        "schema_name",
        "comment",
        "owner",
        "default_version_name",
        "versions",
        "aliases",
    ]
    ((created_on, *names, comment, _owner, version, versions, aliases),) = cursor.fetchall()
    ((job, _),) = cortex_emulator.jobs.all()
    assert abs(created_on - datetime.fromtimestamp(job.created_on / 1000, UTC)).seconds < 9
    assert names == ["LABELLER", "CORTEX_FINETUNED", "CORTEX_DB", "PUBLIC"]
    assert comment is None
    assert [version] == json.loads(versions)
    assert json.loads(aliases)["DEFAULT"] == version


def test_only_models_of_successful_jobs_are_shown(cortex_emulator, shown):
    """A running, failed or cancelled job has none."""
    running = cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.a", life=Life.by_looks(1))
    cortex_emulator.jobs.fail(cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.b").id)
    assert shown() == []
    cortex_emulator.jobs.describe(running.id)
    assert shown() == ["CORTEX_DB.PUBLIC.A"]


@pytest.mark.parametrize(
    ("rest", "names"),
    [
        ("", ["CORTEX_DB.OTHER.A1", "CORTEX_DB.PUBLIC.A1", "CORTEX_DB.PUBLIC.a_b"]),
        (
            "IN ACCOUNT",
            ["CORTEX_DB.OTHER.A1", "CORTEX_DB.PUBLIC.A1", "CORTEX_DB.PUBLIC.a_b", "D.S.A1"],
        ),
        ("IN DATABASE", ["CORTEX_DB.OTHER.A1", "CORTEX_DB.PUBLIC.A1", "CORTEX_DB.PUBLIC.a_b"]),
        ("in database d", ["D.S.A1"]),
        ("IN SCHEMA", ["CORTEX_DB.PUBLIC.A1", "CORTEX_DB.PUBLIC.a_b"]),
        ("IN SCHEMA other", ["CORTEX_DB.OTHER.A1"]),
        ('IN SCHEMA d."S"', ["D.S.A1"]),
        ('IN SCHEMA d."s"', []),
        ("IN d.s", ["D.S.A1"]),
        ("LIKE 'A_' IN SCHEMA", ["CORTEX_DB.PUBLIC.A1"]),
        ("LIKE 'a%' IN SCHEMA public", ["CORTEX_DB.PUBLIC.A1", "CORTEX_DB.PUBLIC.a_b"]),
        (r"LIKE 'A\\_B'", ["CORTEX_DB.PUBLIC.a_b"]),
        ("LIKE 'it''s'", []),
    ],
)
def test_like_and_in_restrict_the_models(add, shown, rest, names):
    """LIKE ignores case. Without IN, the current database is shown."""
    add("D.S.a1", 'CORTEX_DB.PUBLIC."a_b"', "CORTEX_DB.PUBLIC.A1", "CORTEX_DB.OTHER.A1")
    assert shown(rest) == names


def test_a_session_without_a_database_sees_all_models(add, connect, shown):
    """There is no current database to restrict them to."""
    add("D.S.a1", "CORTEX_DB.PUBLIC.A1")
    nowhere = connect(database=None, schema=None)
    assert shown(session=nowhere) == ["CORTEX_DB.PUBLIC.A1", "D.S.A1"]


def test_an_unknown_clause_is_rejected(shown):
    """Ignoring it would return wrong rows."""
    with pytest.raises(ProgrammingError, match="unexpected") as caught:
        shown("STARTS WITH 'a'")
    assert caught.value.errno == 1003


@pytest.mark.parametrize("name", ["labeller", "public.Labeller", 'CORTEX_DB.PUBLIC."LABELLER"'])
def test_a_dropped_model_is_unknown(add, cell, shown, name):
    """Any spelling of its name drops it. Other models stay."""
    add("CORTEX_DB.PUBLIC.labeller", "CORTEX_DB.PUBLIC.other")
    assert cell(f"DROP MODEL {name}") == "LABELLER successfully dropped."
    assert shown() == ["CORTEX_DB.PUBLIC.OTHER"]
    assert cell(ASK, "labeller") is None
    assert cell(ASK, "other") == "shipping"


def test_a_dropped_models_name_is_free(cell, describe_model, finetune, tickets):
    """The next job's model gets it without a suffix. The old job's record does not change."""
    first = finetune("CREATE", "labeller", "mistral-7b", tickets)
    assert describe_model(first) == "CORTEX_DB.PUBLIC.labeller"
    cell("DROP MODEL labeller")
    assert describe_model(first) == "CORTEX_DB.PUBLIC.labeller"
    second = finetune("CREATE", "labeller", "mistral-7b", tickets)
    assert describe_model(second) == "CORTEX_DB.PUBLIC.labeller"
    assert cell(ASK, "labeller") == "shipping"


def test_dropping_an_unknown_model_is_an_error(add, cell):
    """A model of that name in another schema is not dropped. IF EXISTS avoids the error."""
    add("CORTEX_DB.OTHER.labeller")
    with pytest.raises(ProgrammingError, match=r"Model 'CORTEX_DB\.PUBLIC\.LABELLER' does not"):
        cell("DROP MODEL labeller")
    text = cell("DROP MODEL IF EXISTS labeller")
    assert text == "Drop statement executed successfully (LABELLER already dropped)."
    assert cell(ASK, "other.labeller") == "shipping"


def test_dropping_needs_a_database(add, cell, connect):
    """A session without one cannot use an unqualified name."""
    add("CORTEX_DB.PUBLIC.labeller")
    with pytest.raises(ProgrammingError, match="Cannot perform DROP MODEL") as caught:
        cell("DROP MODEL labeller", session=connect(database=None, schema=None))
    assert caught.value.errno == 90105
