"""Files on stages, as arguments name them."""

import pytest

from airflow_provider_cortex.cortex import identifiers, stage_path
from airflow_provider_cortex.errors import ArgumentError


@pytest.mark.parametrize(
    ("path", "stage", "rest"),
    [
        ("@docs", '"DOCS"', ""),
        (" @db.s.docs/a/b.pdf ", '"DB"."S"."DOCS"', "a/b.pdf"),
        ('@"my stage"/a', '"my stage"', "a"),
        ('@db."a/b".docs/c', '"DB"."a/b"."DOCS"', "c"),
        ("@docs//a", '"DOCS"', "a"),
    ],
)
def test_a_path_has_a_stage_and_a_rest(path: str, stage: str, rest: str) -> None:
    """A path begins with a stage's name, which may be qualified and quoted."""
    found = stage_path.read("file", path)
    assert identifiers.sql(found.stage) == stage
    assert found.path == rest


@pytest.mark.parametrize("path", ["docs/a.pdf", "@", "@~/a.pdf", "@%table/a.pdf", "@a.b.c.d/x", ""])
def test_anything_else_is_refused(path: str) -> None:
    """A path without a named stage is refused by its argument's name."""
    with pytest.raises(ArgumentError, match="file must be a path on a named stage"):
        stage_path.read("file", path)


def test_a_directory_is_a_query_for_its_files() -> None:
    """A directory selects what is below it, and not what only begins like it; quotes are safe."""
    assert stage_path.read("source", "@db.s.docs").files == (
        'SELECT \'@db.s.docs/\' || relative_path AS FILE FROM DIRECTORY(@"DB"."S"."DOCS")'
    )
    assert stage_path.read("source", "@docs/it's/").files.endswith(
        " FROM DIRECTORY(@\"DOCS\") WHERE STARTSWITH(relative_path, 'it''s/')"
    )
