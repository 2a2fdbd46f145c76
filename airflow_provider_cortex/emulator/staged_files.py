"""
The files of named stages: LIST, TO_FILE and TRY_TO_FILE.

https://docs.snowflake.com/en/sql-reference/sql/list
https://docs.snowflake.com/en/sql-reference/functions/to_file
https://docs.snowflake.com/en/sql-reference/functions/try_to_file
"""

import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import json_rows, name_resolution, statement_text
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    SqlError,
    invalid_arguments,
    no_such_file,
    unknown_object,
)

_LOCATION = re.compile(
    rf"@(?P<stage>{statement_text.NAME})(?:/(?P<path>.*))?", re.IGNORECASE | re.DOTALL
)

_LIST_COLUMNS = {"name": "VARCHAR", "size": "BIGINT", "md5": "VARCHAR", "last_modified": "VARCHAR"}

_FILES_URL = "https://emulator.snowflakecomputing.com/api/files/"

_METADATA = {"CONTENT_TYPE", "ETAG", "LAST_MODIFIED", "RELATIVE_PATH", "SIZE", "STAGE"}

Location = tuple[NameKey, str]
"""The name of a stage, and a path on it."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file on a stage."""

    stage: NameKey
    path: str
    """Its path on the stage."""
    local: Path
    """Where it is in truth."""

    @property
    def size(self) -> int:
        return self.local.stat().st_size

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(int(self.local.stat().st_mtime), UTC)

    @property
    def md5(self) -> str:
        return hashlib.md5(self.local.read_bytes(), usedforsecurity=False).hexdigest()

    @property
    def url(self) -> str:
        """What DIRECTORY returns as FILE_URL."""
        return _FILES_URL + "/".join(quote(part, safe="") for part in (*self.stage, self.path))

    @property
    def content_type(self) -> str:
        suffix = PurePosixPath(self.path).suffix.lower()
        return mimetypes.types_map.get(suffix, "application/octet-stream")

    @property
    def metadata(self) -> dict[str, object]:
        """The FILE's fields, as Snowflake shows them."""
        return {
            "CONTENT_TYPE": self.content_type,
            "ETAG": self.md5,
            "LAST_MODIFIED": format_datetime(self.modified, usegmt=True),
            "RELATIVE_PATH": self.path,
            "SIZE": self.size,
            "STAGE": "@" + name_resolution.written(self.stage),
        }


def location(written: str, namespace: Namespace) -> Location | None:
    """Return the stage and the path of ``@stage/path``; None for the stage of a table or user."""
    match = _LOCATION.fullmatch(written)
    if match is None:
        return None
    stage = name_resolution.qualified_key(match["stage"], namespace, statement="SELECT")
    return stage, match["path"] or ""


@dataclass(frozen=True, slots=True)
class StagedFiles:
    """The files of one account."""

    directory: Path
    """It has a directory for each database, which has one for each schema."""

    def all(self, stage: NameKey, prefix: str = "") -> Iterator[StagedFile]:
        """Yield the files of a stage whose paths begin with *prefix*, by path."""
        root = self._root(stage)
        if root is None:
            return
        for local in sorted(root.rglob("*")):
            path = local.relative_to(root).as_posix()
            if local.is_file() and path.startswith(prefix):
                yield StagedFile(stage, path, local)

    def find(self, stage: NameKey, path: str) -> StagedFile | None:
        """Return a file, or None."""
        root = self._root(stage)
        if root is None or not path or ".." in path.split("/"):
            return None
        local = root / path
        try:
            # A file is never outside its stage, whatever its path says.
            is_inside = local.resolve().is_relative_to(root.resolve())
            return StagedFile(stage, path, local) if is_inside and local.is_file() else None
        except (OSError, ValueError):  # no file can have this path
            return None

    def of_value(self, value: object) -> StagedFile | None:
        """Return the file that a FILE means, or None if it has been removed."""
        match value:
            case {"STAGE": str(stage), "RELATIVE_PATH": str(path)}:
                return self.find(name_resolution.key(stage.removeprefix("@")), path)
        return None

    def _root(self, stage: NameKey) -> Path | None:
        """Return the directory of a stage, in fakesnow's layout; None for a name such as ``..``."""
        is_plain = all(part.strip(".") and "/" not in part for part in stage)
        return self.directory.joinpath(*stage) if is_plain else None


@dataclass(frozen=True, slots=True)
class FileFunctions:
    """TO_FILE and TRY_TO_FILE, for one account."""

    files: StagedFiles
    stage_exists: Callable[[NameKey], bool]

    def to_file(self, namespace: Namespace, *args: object) -> str | None:
        """
        Return a FILE as JSON; NULL for NULL.

        :raises SqlError: if the stage or the file does not exist.
        """
        match args:
            case [None] | [None, _] | [_, None]:
                return None
            case [str(written), str(path)]:
                found = self._find(location(written.rstrip("/"), namespace), path.lstrip("/"))
            case [str(url)] if url.startswith(_FILES_URL):
                *stage, path = map(unquote, url.removeprefix(_FILES_URL).split("/", 3))
                found = self._find((tuple(stage), ""), path)
            case [str(written)]:
                found = self._find(location(written, namespace), "")
            case [dict() as metadata] if metadata.keys() >= _METADATA:
                return json.dumps(metadata)
            case _:
                raise invalid_arguments(of="TO_FILE", got=args)
        return json.dumps(found.metadata)

    def try_to_file(self, namespace: Namespace, *args: object) -> str | None:
        """Return NULL where :meth:`to_file` fails."""
        try:
            return self.to_file(namespace, *args)
        except SqlError:
            return None

    def _find(self, at: Location | None, path: str) -> StagedFile:
        if at is None:
            raise invalid_arguments(of="TO_FILE", got=[path])
        stage, prefix = at
        whole_path = "/".join(part for part in (prefix.strip("/"), path) if part)
        found = self.files.find(stage, whole_path)
        if found is None:
            if not self.stage_exists(stage):
                raise unknown_object("Stage", ".".join(stage))
            raise no_such_file(whole_path)
        return found


def replace_calls(statement: Expr) -> Expr:
    """Write TO_FILE and TRY_TO_FILE as functions that sqlglot does not know, which are ours."""
    for node in list(statement.find_all(exp.ToFile)):
        name = "TRY_TO_FILE" if node.args.get("safe") else "TO_FILE"
        arguments = [part for part in (node.this, node.args.get("path")) if part is not None]
        node.replace(exp.Anonymous(this=name, expressions=arguments))
    return statement


def listing(files: StagedFiles, at: Location) -> Expr:
    """Return what LIST returns."""
    stage, prefix = at
    return json_rows.select(
        [
            {
                "name": f"{stage[-1].lower()}/{file.path}",
                "size": file.size,
                "md5": file.md5,
                "last_modified": format_datetime(file.modified, usegmt=True),
            }
            for file in files.all(stage, prefix)
        ],
        _LIST_COLUMNS,
    )
