"""Snowflake's JSON over HTTP: how requests are read and responses are written."""

import base64
import gzip
import json
import re
import uuid
import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

import pyarrow as pa  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from airflow_provider_cortex.emulator.sql_errors import SqlError

# The driver's name is QUERY_IN_PROGRESS_ASYNC_CODE: the result has to be requested later.
_IN_PROGRESS_ASYNC = "333334"

INTERNAL_ERROR = "000603"
_BAD_REQUEST = "390400"  # BAD_REQUEST_GS_CODE in the driver

SESSION_EXPIRED = "390112"
MASTER_TOKEN_EXPIRED = "390114"  # noqa: S105 - an error code

# The errors after which only a new login helps. The driver tries to renew an expired session;
# because its master token has expired, too, it gives up, as after a night of sleep.
# Codes: snowflake-connector-python, network.py. Messages: as users report them.
#
# Guess session-error-texts: the messages of 390113 and 390115 are these; no user has reported
# them. If wrong: real logs have other words. No live check: nothing provokes these errors.
_SESSION_ERRORS = {
    "390111": "Session no longer exists.  New login required to access the service.",
    SESSION_EXPIRED: "Your session has expired. Please login again.",
    "390113": "Master token not found.",
    MASTER_TOKEN_EXPIRED: "Authentication token has expired.  The user must authenticate again.",
    "390115": "Master token is invalid.",
}

_QUERY_ID = re.compile(rb'"queryId":"([^"]+)"')
_FAILURE = b'"success":false}'
_PREFIX = re.compile(r"^\d{6} \(\w{5}\): (None: )?")


T = TypeVar("T")


class BadRequestError(ValueError):
    """A request that no driver sends."""


async def read_body(request: Request) -> dict[str, Any]:
    """
    Return the JSON object in the body, which may be compressed.

    :raises BadRequestError: if there is none.
    """
    body = await request.body()
    try:
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        decoded = json.loads(body)
    except (EOFError, OSError, RecursionError, ValueError, zlib.error) as error:
        message = f"The body is not JSON: {error}"
        raise BadRequestError(message) from error
    if not isinstance(decoded, dict):
        message = f"The body must be a JSON object; got {type(decoded).__name__}"
        raise BadRequestError(message)
    return decoded


def field(body: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """
    Return a field of a JSON object; None if it is missing or null.

    :raises BadRequestError: if it has another type than *kind*.
    """
    value = body.get(name)
    if value is None or isinstance(value, kind):
        return value
    message = f"{name} must be of the type {kind.__name__}; got {type(value).__name__}"
    raise BadRequestError(message)


def session_token(request: Request) -> str:
    """Return the text between the quotes of ``Snowflake Token="..."``."""
    return request.headers.get("Authorization", "").partition('"')[2].rstrip('"')


def resent(request: Request, body: dict[str, Any], token: str) -> Request:
    """Return the request as the session with *token* would send it."""
    headers = [(b"authorization", f'Snowflake Token="{token}"'.encode())]
    message = {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def receive() -> Message:
        return message

    return Request({**request.scope, "headers": headers}, receive)


def success(data: object) -> Response:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def in_progress(query_id: str) -> Response:
    """Return the response to a statement that was submitted as an asynchronous query."""
    data = {
        "queryId": query_id,
        "getResultUrl": f"/queries/{query_id}/result",
        "queryAbortsAfterSecs": 300,
    }
    return JSONResponse(
        {"data": data, "code": _IN_PROGRESS_ASYNC, "message": None, "success": True}
    )


def failure(code: str, message: str, sqlstate: str | None = None) -> Response:
    """Return an error as Snowflake does: with HTTP 200, which drivers do not retry."""
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


def query_id(response: Response) -> str | None:
    """Return the id of the statement that a response answers; None for PUT."""
    # Not decoded: it may have many rows. In a text of theirs, the quotes would be escaped.
    found = _QUERY_ID.search(bytes(response.body))
    return None if found is None else found[1].decode()


def error_message(response: Response) -> str | None:
    """Return why the statement that a response answers has failed; None if it has not."""
    body = bytes(response.body)
    return str(json.loads(body)["message"]) if body.endswith(_FAILURE) else None


def bad_request(_request: Request, error: Exception) -> Response:
    return failure(_BAD_REQUEST, f"Bad request. {error}")


def session_failure(code: str = SESSION_EXPIRED) -> Response:
    return failure(code, _SESSION_ERRORS.get(code, "The session has ended."))


def sql_failure(error: SqlError) -> Response:
    return failure(error.code, error.message, error.sqlstate)


def without_prefix(response: Response) -> Response:
    """Remove number and state from an error's message: Snowflake lets the driver add them."""
    body = bytes(response.body)
    if not body.endswith(_FAILURE):
        return response
    failed = json.loads(body)
    message = _PREFIX.sub("", failed["message"])
    return failure(failed["code"], message, failed["data"]["sqlState"])


def with_context(response: Response, *, role: str | None, warehouse: str | None) -> Response:
    """Return the response with the session's role and warehouse, which the driver remembers."""
    decoded = json.loads(bytes(response.body))
    if decoded["success"]:
        decoded["data"] |= {"finalRoleName": role, "finalWarehouseName": warehouse}
    return JSONResponse(decoded)


def with_repeated_rows(response: Response, times: int) -> Response:
    """Return the response with each row this many *times*; an error stays as it is."""
    decoded = json.loads(bytes(response.body))
    if not decoded["success"]:
        return response
    data = decoded["data"]
    if encoded := data.get("rowsetBase64"):
        with pa.ipc.open_stream(base64.b64decode(encoded)) as reader:
            rows = reader.read_all()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            for _ in range(times):
                writer.write_table(rows)
        data["rowsetBase64"] = base64.b64encode(sink.getvalue()).decode()
    elif "rowset" in data:
        data["rowset"] *= times
    data["total"] = data.get("total", 0) * times
    return JSONResponse(decoded)
