"""AI_EXTRACT, and jobs that tune arctic-extract, with the unmodified driver."""

import json

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import JobStatus
from tests.emulator.documents import QUESTIONS, answers, invoice, pdf

DOCUMENTS = 30
UNSEEN = 100

COLUMNS = '"file", "prompt", "Response"'


@pytest.fixture
def extract(cell):
    """Call AI_EXTRACT with arguments as they are written, and return its answer."""

    def extract(arguments, *values):
        answer = cell(f"SELECT AI_EXTRACT({arguments})", *values)
        return answer if answer is None else json.loads(answer)

    return extract


@pytest.fixture
def docs(connect, tmp_path):
    """Create a stage with a few invoices, as text and PDF, and a file that cannot be read."""
    for n in range(3):
        (tmp_path / f"{n}.txt").write_text(invoice(n), encoding="utf-8")
    (tmp_path / f"{UNSEEN}.pdf").write_bytes(pdf(invoice(UNSEEN)))
    (tmp_path / "broken.pdf").write_bytes(b"Not a PDF.")
    session = connect()
    for sql in (
        "CREATE STAGE docs DIRECTORY = (ENABLE = TRUE)",
        f"PUT file://{tmp_path}/* @docs/in AUTO_COMPRESS = FALSE",
        "ALTER STAGE docs REFRESH",
    ):
        session.cursor().execute(sql)
    return session


@pytest.fixture
def many(docs, tmp_path):
    """Put the invoices to train with on the stage, and return the rows of a dataset."""
    (tmp_path / "many").mkdir()
    for n in range(DOCUMENTS):
        (tmp_path / "many" / f"{n}.txt").write_text(invoice(n), encoding="utf-8")
    docs.cursor().execute(f"PUT file://{tmp_path}/many/* @docs/many AUTO_COMPRESS = FALSE")
    asked = json.dumps(QUESTIONS)
    return [(f"@docs/many/{n}.txt", asked, json.dumps(answers(n))) for n in range(DOCUMENTS)]


@pytest.fixture
def dataset(cell, docs):
    """Create a dataset with a version for each kind of rows, and return a version's URI."""
    docs.cursor().execute("CREATE DATASET ds")

    def dataset(rows, columns=COLUMNS, version="v1"):
        values = ", ".join(["(%s, %s, %s)"] * len(rows))
        flat = [value for row in rows for value in row]
        docs.cursor().execute(
            f"ALTER DATASET ds ADD VERSION '{version}' FROM "
            f"(SELECT * FROM (VALUES {values}) AS t ({columns}))",
            flat,
        )
        return f"snow://dataset/cortex_db.public.ds/versions/{version}"

    return dataset


@pytest.mark.parametrize(
    "response_format",
    [
        "{'total': 'What is the total?'}",
        "[['total', 'What is the total?']]",
        "['total: What is the total?']",
        "{'schema': {'type': 'object', 'properties': {'total': {'type': 'string'}}}}",
        """PARSE_JSON('{"total": "What is the total?"}')""",
    ],
)
def test_an_answer_has_a_label_for_each_question(extract, response_format):
    """Whatever the form of the questions, as an object or in JSON, by position or by name."""
    expected = {"error": None, "response": {"total": "12.00"}}
    assert extract(f"'Total: 12.00', {response_format}") == expected
    assert extract(f"'Total: 12.00', {response_format}, scores => NULL") == expected
    assert extract(f"TEXT => %s, responseFormat => {response_format}", "Total: 12.00") == expected


def test_questions_keep_the_case_of_their_labels(extract):
    """Also those of a table, whose columns are lists."""
    columns = "{'Item': {'type': 'array'}, 'price': {'type': 'array'}}"
    table = f"{{'type': 'object', 'column_ordering': ['Item', 'price'], 'properties': {columns}}}"
    schema = f"{{'schema': {{'type': 'object', 'properties': {{'Table': {table}}}}}}}"
    assert extract(f"%s, {schema}", "Item\tPrice\nPen\t1.00")["response"] == {
        "Table": {"Item": ["Pen"], "price": ["1.00"]}
    }


def test_a_question_without_an_answer_is_answered_with_none(extract):
    """As a text, unless it wants a list."""
    assert extract("'x', ['a: What?', 'b: List: What?']")["response"] == {"a": "None", "b": []}


def test_scores_are_beside_the_answers(extract):
    """Each label has one from 0 to 1, if they are asked for."""
    scoring = extract("text => 'Total: 1', responseFormat => ['total: ?', 'x: ?'], scores => TRUE")[
        "scoring"
    ]
    assert scoring == {"total": {"score": 1.0}, "x": {"score": 0.0}}
    assert "scoring" not in extract("text => 'x', responseFormat => ['a: ?'], scores => FALSE")


def test_null_has_no_answer(extract):
    """Neither a text nor a file, also if the stage does not have the file."""
    for document in ("text => NULL", "file => NULL", "file => TRY_TO_FILE('@docs', 'x.pdf')"):
        assert extract(f"{document}, responseFormat => ['a: What?']") is None
    assert extract("NULL, ['a: What?']") is None


@pytest.mark.parametrize(
    "arguments",
    [
        "text => 'x'",
        "responseFormat => ['a']",
        "text => 'x', file => NULL, responseFormat => ['a']",
        "text => 'x', responseFormat => ['a'], threshold => 1",
        "file => '@docs/in/1.txt', responseFormat => ['a']",
        "'x', ['a'], TRUE",
        "'x'",
    ],
)
def test_wrong_arguments_fail_the_statement(extract, arguments):
    """A missing or unknown one, and a text where a file belongs."""
    with pytest.raises(ProgrammingError, match="Invalid argument types for function 'AI_EXTRACT'"):
        extract(arguments)


def test_an_unknown_model_and_a_wrong_format_fail_the_statement(extract, cortex_emulator):
    """A model that completes prompts is unknown, too; arctic-extract is the untuned one."""
    cortex_emulator.jobs.add(model="cortex_db.public.words")
    for model in ("unknown", "words", "llama3.1-8b"):
        with pytest.raises(ProgrammingError, match=f"unknown model .*{model}"):
            extract("model => %s, text => 'x', responseFormat => ['a']", model)
    with pytest.raises(ProgrammingError, match="for parameter 'responseFormat'"):
        extract("'x', 'What?'")
    tuned = "model => 'arctic-extract', text => 'Size: 1', responseFormat => ['size: ?']"
    assert extract(tuned)["response"] == {"size": "1"}


def test_each_file_of_a_directory_has_its_answer(docs, cell):
    """In a table: a file that cannot be read has an error, and the others have answers."""
    docs.cursor().execute(
        "CREATE TABLE found AS SELECT relative_path AS path, "
        "AI_EXTRACT(file => TO_FILE('@docs', relative_path), responseFormat => ['total: ?']) AS a "
        "FROM DIRECTORY(@docs)"
    )
    assert cell("SELECT COUNT(*) FROM found WHERE a:error::TEXT IS NULL") == 4
    assert cell("SELECT COUNT(*) FROM found WHERE a:response:total::TEXT LIKE '%.50 EUR'") == 1
    ((path, error),) = (
        docs.cursor().execute(
            "SELECT path, a:error::TEXT FROM found WHERE a:response::TEXT IS NULL"
        )
    ).fetchall()
    assert (path, "Cannot read" in error) == ("in/broken.pdf", True)


def test_a_tuned_model_knows_its_questions_and_does_better(many, dataset, finetune, extract):
    """It is trained on text, and reads PDF files as well; other questions may be asked."""
    job_id = finetune("CREATE", "@cortex_db.public.m", "arctic-extract", dataset(many))
    record = json.loads(finetune("DESCRIBE", job_id))
    assert (record["status"], record["model"]) == ("SUCCESS", "cortex_db.public.m")
    assert record["training_result"] == {"training_loss": 0.0, "validation_loss": 0.0}
    assert record["trained_tokens"] > 1000
    file = f"file => TO_FILE('@docs/in/{UNSEEN}.pdf')"
    assert extract(f"model => 'm', {file}")["response"] == answers(UNSEEN)
    untuned = extract(f"{file}, responseFormat => PARSE_JSON(%s)", json.dumps(QUESTIONS))
    assert untuned["response"] != answers(UNSEEN)
    other = extract(f"model => 'm', {file}, responseFormat => ['Subtotal'], scores => TRUE")
    assert other["response"] == {"Subtotal": "1.00 EUR"}


def test_a_model_for_documents_completes_nothing(cortex_emulator, cell):
    """It is listed as other tuned models are."""
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.M", base_model="arctic-extract")
    with pytest.raises(ProgrammingError, match="unknown model"):
        cell("SELECT SNOWFLAKE.CORTEX.COMPLETE('m', 'x')")
    assert cell("SELECT AI_COMPLETE('m', 'x')") is None
    assert (
        cell("SELECT AI_EXTRACT(model => 'm', text => 'A: 1', responseFormat => ['A']):error::TEXT")
        is None
    )


ROW = ("@docs/in/1.txt", '{"a": "What?"}', '{"a": "x"}')

BAD_ROWS = {
    "another column": ([ROW], '"file", "prompt", "completion"', "no column response"),
    "no such file": ([("@docs/x.txt", *ROW[1:])], None, "does not exist on the stage: @docs/x.txt"),
    "no stage": ([("x.txt", *ROW[1:])], None, "does not exist on the stage: x.txt"),
    "an unreadable file": ([("@docs/in/broken.pdf", *ROW[1:])], None, "Cannot read the file"),
    "no JSON": ([(ROW[0], "What?", ROW[2])], None, "The column prompt has no JSON"),
    "no questions": ([(ROW[0], "7", ROW[2])], None, "for parameter 'responseFormat'"),
    "other keys": ([(*ROW[:2], '{"b": "x"}')], None, "The keys of response and prompt differ"),
    "no answers": ([(*ROW[:2], "7")], None, "The keys of response and prompt differ"),
}


def test_bad_rows_fail_the_job(dataset, finetune):
    """After CREATE, as those of a query do."""
    for number, (rows, columns, message) in enumerate(BAD_ROWS.values()):
        uri = dataset(rows, columns or COLUMNS, version=f"v{number}")
        record = json.loads(finetune("DESCRIBE", finetune("CREATE", "m", "arctic-extract", uri)))
        assert record["status"] == JobStatus.ERROR
        assert message in record["error"]["message"]


def test_data_that_is_not_there_fails_the_job(dataset, finetune):
    """A dataset, a version, validation data; and a query or a dataset in the other one's place."""
    uri = dataset([ROW])
    for base_model, data in (
        ("arctic-extract", [uri.replace(".ds/", ".unknown/")]),
        ("arctic-extract", [uri.replace("v1", "V1")]),
        ("arctic-extract", [uri, uri.replace("v1", "v2")]),
        ("arctic-extract", ["SELECT 1 AS prompt"]),
        ("llama3.1-8b", [uri]),
    ):
        job_id = finetune("CREATE", "m", base_model, *data)
        assert json.loads(finetune("DESCRIBE", job_id))["status"] == JobStatus.ERROR, data


def test_epochs_have_other_limits_than_those_of_text_models(dataset, finetune):
    """From 2 to 10, as documented; validation data may be NULL."""
    uri = dataset([ROW])
    for epochs, status in ((1, "ERROR"), (2, "SUCCESS"), (10, "SUCCESS"), (11, "ERROR")):
        options = json.dumps({"max_epochs": epochs})
        job_id = finetune("CREATE", "m", "arctic-extract", uri, None, options)
        assert json.loads(finetune("DESCRIBE", job_id))["status"] == status, epochs


def test_a_fault_strikes_one_document(cortex_emulator, docs, extract):
    """By its path or its text: it has an error, no answer, or another one."""
    file = "file => TO_FILE('@docs/in/1.txt'), responseFormat => ['total: ?']"
    other = file.replace("1.txt", "2.txt")
    add = cortex_emulator.faults.add
    add("error", document="docs/in/1.txt", at="extract", message="Too long")
    add("null", document="DOCS/in/1.txt", requests=1)
    add("error", document="DOCS/in/1.txt", requests=1, message="Too long")
    add("unreadable", document="DOCS/in/1.txt", requests=1, text="???")
    assert extract(file) is None
    assert extract(file) == {"error": "Too long", "response": None}
    assert extract(file)["response"] == {"total": "???"}
    assert extract(other)["error"] is None
    add("error", at="extract", document="secret", message="No")
    assert extract("'a secret', ['a: ?']")["error"] == "No"
    assert [fault.kind for fault in cortex_emulator.faults.struck] == [
        *("null", "error", "unreadable", "error")
    ]
