"""Stages with files: PUT, LIST, directory tables and TO_FILE, with the unmodified driver."""

import json

import pytest
from snowflake.connector.errors import ProgrammingError

INVOICE = "in/Invoice 1.txt"


@pytest.fixture
def run(connect):
    """Execute a statement in one and the same session, and return the rows."""
    session = connect()

    def run(sql, *values):
        return session.cursor().execute(sql, values or None).fetchall()

    return run


@pytest.fixture
def put(run, tmp_path):
    """Write a file, and put it on a stage."""

    def put(stage, name="Invoice 1.txt", text="Total: 1.00", options="AUTO_COMPRESS = FALSE"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return run(f"PUT 'file://{tmp_path / name}' {stage} {options}")

    return put


@pytest.fixture
def docs(run, put):
    """Create a stage with a directory table and one file."""
    run("CREATE STAGE docs DIRECTORY = (ENABLE = TRUE) ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    put("@docs/in")
    return "@docs"


def names(rows):
    return [name for name, *_ in rows]


def errno(run, sql, *values):
    """Return the number of the error with which a statement fails."""
    with pytest.raises(ProgrammingError) as caught:
        run(sql, *values)
    return caught.value.errno


def test_list_shows_the_files_of_a_directory(run, put, docs):
    """A path is the beginning of the files' paths; the name of the stage is in small letters."""
    put("@cortex_db.public.docs", "b.txt", text="b")
    ((name, size, md5, modified),) = run("LIST @docs/in/")
    assert (name, size, md5) == (f"docs/{INVOICE}", 11, "d173cdde9e9ff33f99a2599eb9d52198")
    assert modified.endswith(" GMT")
    assert names(run("LIST @cortex_db.public.docs")) == ["docs/b.txt", f"docs/{INVOICE}"]
    assert names(run("ls @docs/i")) == [f"docs/{INVOICE}"]
    assert run("LIST @docs/out") == []
    assert errno(run, "LIST @unknown") == 2003


def test_put_takes_several_files_at_once(run, tmp_path, docs):
    """A pattern in a path without quotes is no comment."""
    for n in range(3):
        (tmp_path / f"part{n}.txt").write_text(str(n), encoding="utf-8")
    uploaded = run(f"PUT file://{tmp_path}/part*.txt @docs/parts AUTO_COMPRESS=FALSE")
    assert names(uploaded) == ["part0.txt", "part1.txt", "part2.txt"]
    assert len(run("LIST @docs/parts/")) == 3


def test_a_directory_table_has_the_files_of_the_last_refresh(run, put, docs):
    """REFRESH reports what is new or has changed, in the whole stage or a part of it."""
    assert run("SELECT * FROM DIRECTORY(@docs)") == []
    put("@docs/other", "a.txt")
    refresh = "ALTER STAGE IF EXISTS cortex_db.public.docs REFRESH"
    assert run(f"{refresh} SUBPATH = 'in'") == [
        (INVOICE, "REGISTERED_NEW", "File registered successfully.")
    ]
    paths = "SELECT relative_path FROM DIRECTORY(@cortex_db.public.docs) ORDER BY 1"
    assert names(run(paths)) == [INVOICE]
    put("@docs/in", text="changed", options="AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
    assert [row[:2] for row in run(refresh)] == [
        (INVOICE, "REGISTERED_UPDATE"),
        ("other/a.txt", "REGISTERED_NEW"),
    ]
    assert names(run(paths)) == [INVOICE, "other/a.txt"]
    assert run(refresh) == []


def test_a_refresh_forgets_the_files_that_are_gone(run, put, docs):
    """Such as those that COPY has removed."""
    put("@docs", "a.csv", text="1")
    run("ALTER STAGE docs REFRESH")
    run("CREATE TABLE loaded (a INT)")
    run("COPY INTO loaded FROM @docs/a.csv FILE_FORMAT = (TYPE = CSV) PURGE = TRUE")
    gone = [("a.csv", "UNREGISTERED", "File unregistered successfully.")]
    assert run("ALTER STAGE docs REFRESH") == gone
    assert run("SELECT RELATIVE_PATH FROM DIRECTORY(@docs)") == [(INVOICE,)]


def test_a_directory_table_describes_its_files(run, docs):
    """In a query of any form, and with what TO_FILE takes."""
    run("ALTER STAGE docs REFRESH")
    ((path, size, modified, md5, etag, url),) = run(
        "SELECT d.RELATIVE_PATH, SIZE, LAST_MODIFIED, MD5, ETAG, FILE_URL "
        "FROM DIRECTORY(@docs) AS d WHERE d.relative_path LIKE 'in/%'"
    )
    assert (path, size, etag) == (INVOICE, 11, md5)
    assert modified.tzinfo is not None
    assert url.endswith("/api/files/CORTEX_DB/PUBLIC/DOCS/in%2FInvoice%201.txt")
    ((from_url, from_path),) = run("SELECT TO_FILE(%s), TO_FILE('@docs', %s)", url, path)
    assert from_url == from_path


def test_a_stage_without_a_directory_table_says_so(run):
    """It can be enabled later, and disabled again."""
    run("CREATE TEMPORARY STAGE plain")
    for enable in ("FALSE", "TRUE"):
        assert errno(run, "SELECT * FROM DIRECTORY(@plain)") == 391550
        assert errno(run, "ALTER STAGE plain REFRESH") == 391550
        run(f"ALTER STAGE plain SET DIRECTORY = (ENABLE = {enable})")
    assert run("SELECT * FROM DIRECTORY(@plain)") == run("ALTER STAGE plain REFRESH") == []
    assert errno(run, "SELECT * FROM DIRECTORY(@unknown)") == 2003
    assert errno(run, "ALTER STAGE unknown REFRESH") == 2003


def test_an_automatic_refresh_needs_no_statement(run, put):
    """With AUTO_REFRESH, as documented for internal stages."""
    run("CREATE STAGE docs DIRECTORY = (ENABLE = TRUE AUTO_REFRESH = TRUE)")
    put("@docs", "a.txt")
    assert run("SELECT RELATIVE_PATH FROM DIRECTORY(@docs)") == [("a.txt",)]


def test_a_stage_that_is_created_again_is_empty(run, docs):
    """With OR REPLACE; IF NOT EXISTS keeps what there is."""
    run("ALTER STAGE docs REFRESH")
    run("CREATE STAGE IF NOT EXISTS docs")
    assert len(run("SELECT * FROM DIRECTORY(@docs)")) == 1
    assert errno(run, "CREATE STAGE docs") == 2002
    run("CREATE OR REPLACE STAGE docs DIRECTORY = (ENABLE = TRUE)")
    assert run("LIST @docs") == run("SELECT * FROM DIRECTORY(@docs)") == []


def test_to_file_describes_a_file(run, docs):
    """Whichever way it is named; the current schema completes the name of the stage."""
    files = run(
        "SELECT TO_FILE('@docs', %s), TO_FILE('@docs/in/Invoice 1.txt'), "
        "TO_FILE('@cortex_db.public.docs/in', 'Invoice 1.txt'), TO_FILE(TO_FILE('@docs', %s))",
        INVOICE,
        INVOICE,
    )
    assert len(set(files[0])) == 1
    file = json.loads(files[0][0])
    assert file.pop("LAST_MODIFIED").endswith(" GMT")
    assert len(file.pop("ETAG")) == 32
    assert file == {
        "CONTENT_TYPE": "text/plain",
        "RELATIVE_PATH": INVOICE,
        "SIZE": 11,
        "STAGE": "@CORTEX_DB.PUBLIC.DOCS",
    }


def test_the_name_of_a_stage_may_be_quoted(run, put):
    """Then its case matters, and a path may have blanks."""
    run('CREATE STAGE "My docs" DIRECTORY = (ENABLE = TRUE)')
    put("""'@"My docs"/a b'""", "c.txt")
    run('ALTER STAGE "My docs" REFRESH')
    assert names(run("""LIST '@"My docs"'""")) == ["my docs/a b/c.txt"]
    assert names(run("SELECT RELATIVE_PATH FROM DIRECTORY('@\"My docs\"')")) == ["a b/c.txt"]
    extract = "SELECT AI_EXTRACT(file => TO_FILE(%s), responseFormat => ['Total']):response:Total"
    assert run(f"{extract}::TEXT", '@"My docs"/a b/c.txt') == [("1.00",)]


@pytest.mark.parametrize(
    ("location", "number"),
    [
        ("@docs/unknown.txt", 91016),
        ("@docs", 91016),
        ("@docs/in", 91016),
        ("@docs/../../PUBLIC/DOCS/in/Invoice 1.txt", 91016),
        ("@docs/" + "x" * 5000, 91016),
        ("@unknown/in/Invoice 1.txt", 2003),
        ('@".."/DOCS/in/Invoice 1.txt', 2003),
        ("docs/in/Invoice 1.txt", 1044),
        ("@~/a.txt", 1044),
    ],
)
def test_a_file_that_is_not_there_is_an_error(run, docs, location, number):
    """TRY_TO_FILE returns NULL instead, and so do both for NULL."""
    assert errno(run, "SELECT TO_FILE(%s)", location) == number
    assert run("SELECT TRY_TO_FILE(%s), TO_FILE(NULL), TO_FILE('@docs', NULL)", location) == [
        (None, None, None)
    ]


def test_files_need_no_role_for_cortex(run, docs, cortex_emulator):
    """AI_EXTRACT does."""
    cortex_emulator.has_cortex_user_role = False
    assert run("SELECT TO_FILE('@docs', %s) IS NULL", INVOICE) == [(False,)]
    assert errno(run, "SELECT AI_EXTRACT('Total: 1', ['Total'])") == 2141


def test_a_dropped_schema_takes_its_directory_tables_along(run, put):
    """A stage of the same name begins without one."""
    for _ in range(2):
        run("CREATE SCHEMA s")
        run("CREATE STAGE docs")
        assert errno(run, "SELECT * FROM DIRECTORY(@docs)") == 391550
        run("ALTER STAGE docs SET DIRECTORY = (ENABLE = TRUE)")
        run("DROP SCHEMA s")
