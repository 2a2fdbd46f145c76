"""Files on stages, as arguments name them: ``@database.schema.stage/directory/file``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.sql import literal
from airflow_provider_cortex.errors import ArgumentError

FILE = "FILE"
"""The column with the paths in :attr:`StagePath.files`."""

_PATH = re.compile(r'@(?P<stage>(?:"(?:[^"]|"")++"|[^"/])++)(?:/(?P<rest>.*))?', re.DOTALL)


@dataclass(frozen=True)
class StagePath:
    """
    A file or a directory on a named stage.

    :param stage: the stage's name, qualified or not.
    :param path: the path within it, without a slash at its start; empty for the whole stage.
    """

    stage: tuple[Identifier, ...]
    path: str

    @property
    def files(self) -> str:
        """
        The query for the paths of all files in this directory, and below it.

        It reads the stage's directory table, which has to be enabled, and which knows the files
        of its last refresh. Source: https://docs.snowflake.com/en/user-guide/data-load-dirtables
        """
        stage = f"@{identifiers.written(self.stage)}"
        directory = self.path.rstrip("/")
        condition = f" WHERE STARTSWITH(relative_path, {literal(directory + '/')})"
        return (
            f"SELECT {literal(stage + '/')} || relative_path AS {FILE}"  # noqa: S608 - literals and a name
            f" FROM DIRECTORY(@{identifiers.sql(self.stage)}){condition if directory else ''}"
        )


def is_stage_path(value: str) -> bool:
    """Return whether an argument names files on a stage, and not a table or a query."""
    return value.strip().startswith("@")


def read(argument: str, value: object) -> StagePath:
    """
    Return a path on a named stage.

    :raises ArgumentError: if it is none; the stages of users (``@~``) and of tables (``@%``)
        cannot be read by AI functions.
    """
    path = text(argument, value).strip()
    match = _PATH.fullmatch(path)
    stage = identifiers.parse(match["stage"]) if match else None
    if match is None or stage is None:
        raise ArgumentError(
            argument,
            value,
            "must be a path on a named stage, such as @my_stage/invoices or"
            f" @my_db.my_schema.my_stage/invoices/1.pdf; got {path!r}.",
        )
    return StagePath(stage, (match["rest"] or "").lstrip("/"))
