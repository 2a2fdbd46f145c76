"""SNOWFLAKE.CORTEX.FINETUNE with the unmodified driver."""

import json
import re

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import Emulator, Life


@pytest.fixture
def create(finetune, tickets):
    """Create a job on TICKETS and return its id."""

    def create(name="labeller", query=tickets, *optional):
        return finetune("CREATE", name, "llama3.1-8b", query, *optional)

    return create


@pytest.fixture
def describe(finetune):
    """Describe a job, and return its record."""
    return lambda job_id: json.loads(finetune("DESCRIBE", job_id))


def test_create_returns_the_id_of_the_job(create):
    """The id alone, in the form that Snowflake's page shows."""
    assert re.fullmatch(r"ft_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", create())


def test_the_record_of_a_successful_job_has_the_documented_fields(create, describe, tickets):
    """All of them, and no others."""
    job_id = create()
    described = describe(job_id)
    assert described == {
        "base_model": "llama3.1-8b",
        "created_on": described["created_on"],
        "finished_on": described["finished_on"],
        "id": job_id,
        "model": "CORTEX_DB.PUBLIC.labeller",
        "progress": 1.0,
        "status": "SUCCESS",
        "trained_tokens": described["trained_tokens"],
        "training_data": tickets,
        "training_result": described["training_result"],
        "validation_data": "",
    }
    assert set(described["training_result"]) == {"validation_loss", "training_loss"}
    assert 0 < described["created_on"] <= described["finished_on"]


def test_the_record_repeats_the_options(create, describe, tickets):
    """And the trained tokens are the input tokens times the epochs."""
    short = describe(create("short", tickets, None, '{"max_epochs": 1}'))
    long = describe(create("long", tickets, tickets, '{"max_epochs": 10}'))
    assert short["options"] == {"max_epochs": 1}
    assert long["validation_data"] == tickets
    assert long["trained_tokens"] == 10 * short["trained_tokens"]


def test_options_may_be_an_object(cell, tickets, describe):
    """snowflake-ml-python sends OBJECT_CONSTRUCT(...) where the page says JSON text."""
    job_id = cell(
        "SELECT snowflake.cortex.finetune("
        "'CREATE', 'm', 'mistral-7b', %s, NULL, OBJECT_CONSTRUCT('max_epochs', 2))",
        tickets,
    )
    assert describe(job_id)["options"] == {"max_epochs": 2}


def test_a_job_passes_through_its_statuses(cortex_emulator, create, describe):
    """PENDING, then IN_PROGRESS with rising progress, then SUCCESS."""
    cortex_emulator.life = Life.by_looks(3)
    job_id = create()
    seen = [describe(job_id) for _ in range(4)]
    assert [(job["status"], job["progress"]) for job in seen] == [
        ("PENDING", 0.0),
        ("IN_PROGRESS", 0.333),
        ("IN_PROGRESS", 0.666),
        ("SUCCESS", 1.0),
    ]
    assert not {"model", "finished_on", "training_result"} & seen[2].keys()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param(
            "SELECT request AS prompt, label AS completion FROM tickets;",
            r"001003 \(42000\): \S+: ",
            id="a trailing semicolon",
        ),
        pytest.param(
            "SELECT * FROM nowhere", r"002003 \(42S02\): \S+: .*NOWHERE", id="no such table"
        ),
        pytest.param(
            "SELECT * FROM tickets", r"000904 \(42000\): (.|\n)*'\"PROMPT\"'", id="other columns"
        ),
        pytest.param(
            'SELECT request AS "prompt", label AS "completion" FROM tickets',
            r"000904 \(42000\): (.|\n)*'\"PROMPT\"'",
            id="columns in quoted lower case",
        ),
        pytest.param(
            "SELECT request AS prompt, label AS completion FROM tickets WHERE FALSE",
            "no rows",
            id="no rows",
        ),
        # A syntax error, or a table that does not exist: DuckDB's releases differ.
        pytest.param("nonsense", r"00[12]003 \(42\w{3}\)", id="not a query"),
    ],
)
def test_bad_data_fails_the_job_instead_of_create(create, describe, query, reason):
    """DESCRIBE reports the error in the words of the captured sample."""
    described = describe(create("labeller", query))
    assert described["status"] == "ERROR"
    assert described["training_data"] == query
    assert "finished_on" in described
    assert "model" not in described
    assert described["error"]["code"] == "INVALID_PARAMETER_VALUE"
    message = described["error"]["message"]
    assert message.startswith(
        "Failed to query input data for Fine-tuning. Failed to execute query: "
        f'SELECT "PROMPT", "COMPLETION" FROM ({query}). '
    )
    assert re.search(reason, message)


def test_bad_validation_data_fails_the_job(create, describe, tickets):
    """The validation query is executed like the training query."""
    described = describe(create("labeller", tickets, "SELECT * FROM nowhere"))
    assert described["status"] == "ERROR"


@pytest.mark.parametrize("epochs", [0, 11, "many"])
def test_epochs_out_of_range_fail_the_job(create, describe, tickets, epochs):
    """1 to 10 epochs are documented. The job fails, and not CREATE (guess epochs-fail-job)."""
    described = describe(create("labeller", tickets, None, json.dumps({"max_epochs": epochs})))
    assert described["error"]["code"] == "INVALID_PARAMETER_VALUE"


def test_data_is_read_at_create(cell, create, describe):
    """Dropping the table afterwards changes nothing."""
    job_id = create()
    cell("DROP TABLE tickets")
    assert describe(job_id)["status"] == "SUCCESS"


def test_names_are_completed_from_the_session_of_create(connect, describe):
    """Those of tables and of models."""
    cursor = connect(database="ELSEWHERE", schema="RAW").cursor()
    cursor.execute("CREATE TABLE here AS SELECT 'a' AS prompt, 'b' AS completion")
    sql = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', 'm', 'mistral-7b', 'SELECT * FROM here')"
    ((job_id,),) = cursor.execute(sql).fetchall()
    described = describe(job_id)
    assert (described["status"], described.get("model")) == ("SUCCESS", "ELSEWHERE.RAW.m")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("m", "CORTEX_DB.PUBLIC.m"),
        ("raw.m", "CORTEX_DB.raw.m"),
        ("mydb.myschema.my_model", "mydb.myschema.my_model"),
        ('"My model. It\'s mine"', 'CORTEX_DB.PUBLIC."My model. It\'s mine"'),
        ("it's mine", "CORTEX_DB.PUBLIC.it's mine"),
        ('back\\slash "quoted"', 'CORTEX_DB.PUBLIC.back\\slash "quoted"'),
    ],
)
def test_a_model_name_is_qualified_and_otherwise_unchanged(create, describe, name, model):
    """DESCRIBE returns it as database.schema.model."""
    assert describe(create(name))["model"] == model


def test_a_taken_model_name_gets_a_suffix(create, describe):
    """Whichever spelling of the name is used."""
    names = [describe(create(name))["model"] for name in ("m", "M", "cortex_db.public.m")]
    assert names == ["CORTEX_DB.PUBLIC.m", "CORTEX_DB.PUBLIC.M_1", "cortex_db.public.m_2"]


def test_a_failed_job_leaves_its_name_free(create, describe):
    """A job in ERROR has no model, so the next one needs no suffix."""
    create("m", "SELECT * FROM nowhere")
    assert describe(create("m"))["model"] == "CORTEX_DB.PUBLIC.m"


def test_show_lists_all_jobs_in_one_cell(create, finetune, describe):
    """Each with four fields."""
    ids = [create(), create("m", "SELECT * FROM nowhere")]
    shown = json.loads(finetune("SHOW"))
    assert [job["id"] for job in shown] == ids
    assert [job["status"] for job in shown] == ["SUCCESS", "ERROR"]
    assert shown[0] == {
        key: describe(ids[0])[key] for key in ("id", "status", "base_model", "created_on")
    }


def test_cancel_ends_a_running_job(cortex_emulator, create, finetune, describe):
    """CANCEL returns "Canceled", and the status is CANCELLED."""
    cortex_emulator.life = Life.by_looks(9)
    job_id = create()
    assert finetune("CANCEL", job_id) == f"Canceled Cortex Fine-tuning job: {job_id}"
    assert describe(job_id)["status"] == "CANCELLED"


def test_cancelling_a_finished_job_changes_nothing(create, finetune, describe):
    """Snowflake does not document it (guess cancel-finished)."""
    job_id = create()
    finetune("CANCEL", job_id)
    assert describe(job_id)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("values", "errno"),
    [
        pytest.param(("DESCRIBE", "ft_0"), 2003, id="describe an unknown job"),
        pytest.param(("CANCEL", "ft_0"), 2003, id="cancel an unknown job"),
        pytest.param(("DESTROY", "ft_0"), 1008, id="unknown action"),
        pytest.param((None,), 1008, id="no action"),
        pytest.param(("DESCRIBE", None), 1044, id="NULL for an id"),
        pytest.param(("DESCRIBE",), 1044, id="no id"),
        pytest.param(("CREATE", "m", "gpt-2", "SELECT 1"), 1008, id="unknown base model"),
        pytest.param(("CREATE", "", "mistral-7b", "SELECT 1"), 1008, id="no name"),
        pytest.param(("CREATE", "m", "mistral-7b", "SELECT 1", None, "{"), 1008, id="bad JSON"),
    ],
)
def test_wrong_calls_are_sql_errors(finetune, values, errno):
    """They fail immediately, with an error that drivers do not retry."""
    with pytest.raises(ProgrammingError) as caught:
        finetune(*values)
    assert caught.value.errno == errno
    assert caught.value.sqlstate


def test_the_error_names_the_unknown_job(finetune):
    """So a user who passed a model's name sees the mistake."""
    with pytest.raises(ProgrammingError, match="'it''s a model'"):
        finetune("DESCRIBE", "it''s a model")


def test_a_statement_may_describe_many_jobs(cortex_emulator, connect):
    """FINETUNE works in columns and in UNION ALL, like any other function."""
    jobs = [cortex_emulator.jobs.add(model=f"D.S.m{n}") for n in range(200)]
    one = "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)"
    sql = " UNION ALL ".join([one] * len(jobs))
    rows = connect().cursor().execute(sql, [job.id for job in jobs]).fetchall()
    assert [json.loads(text)["id"] for (text,) in rows] == [job.id for job in jobs]
    both = "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s), snowflake.cortex.finetune('SHOW')"
    ((described, shown),) = connect().cursor().execute(both, [jobs[0].id]).fetchall()
    assert json.loads(described)["id"] == jobs[0].id
    assert len(json.loads(shown)) == len(jobs)


@pytest.mark.parametrize(
    "select", ["{}", "DISTINCT {}", "{} LIMIT 1", "{} FROM (SELECT 1) WHERE 1 = 1"]
)
def test_a_call_works_in_any_select(cell, select):
    """A SELECT of calls alone takes a faster path than others."""
    assert cell("SELECT " + select.format("SNOWFLAKE.CORTEX.FINETUNE('SHOW')")) == "[]"


def test_a_statement_with_too_many_calls_is_rejected(cortex_emulator, connect):
    """None of its calls is executed."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(1))
    cortex_emulator.calls_per_statement = 2
    call = f"SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
    cursor = connect().cursor()
    with pytest.raises(ProgrammingError, match="expected at most 2, got 3") as caught:
        cursor.execute(f"SELECT {call}, {call}, TRIM({call})")
    assert caught.value.errno == 1795
    (records,) = cursor.execute(f"SELECT {call}, TRIM({call})").fetchall()
    assert sorted(json.loads(record)["status"] for record in records) == ["PENDING", "SUCCESS"]


def test_without_the_cortex_role_the_function_is_unknown(cortex_emulator, finetune):
    """Snowflake documents it for COMPLETE, and not for FINETUNE (guess role-rejected)."""
    cortex_emulator.has_cortex_user_role = False
    with pytest.raises(ProgrammingError, match="Unknown user-defined function") as caught:
        finetune("SHOW")
    assert caught.value.errno == 2141


def test_parse_json_reads_the_record_in_sql(create, cell):
    """In the statement that describes the job."""
    sql = "SELECT PARSE_JSON(SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)):status::VARCHAR"
    assert cell(sql, create()) == "SUCCESS"


def test_jobs_can_have_ids_in_the_form_of_2024():
    """For tests of code that must accept both forms."""
    emulator = Emulator(tls=False, id_prefix="CortexFineTuningWorkflow_")
    try:
        assert emulator.jobs.add(model="D.S.m").id.startswith("CortexFineTuningWorkflow_")
    finally:
        emulator.close()
