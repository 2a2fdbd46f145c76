"""What many tests do: execute a statement, send a request, and list faults."""

import json
import urllib.request
from contextlib import closing
from http.client import HTTPConnection

SHOW = "SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')"


def show(session):
    """Execute a statement. Without jobs, it returns ``[("[]",)]``."""
    return session.cursor().execute(SHOW).fetchall()


def kinds(faults):
    """Return the kind of each fault."""
    return [fault.kind for fault in faults]


def request_json(emulator, path, *, method="GET", data=None):
    """Send a request, and return the JSON of the response."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(emulator.url + path, method=method, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=9) as response:
        return json.load(response)


def post(emulator, path, body):
    """Send *body* as JSON, and return the JSON of the response."""
    return request_json(emulator, path, method="POST", data=json.dumps(body).encode())


def send(emulator, method, path, body=b"", headers=()):
    """Send a request as it is, over plain HTTP; return the response's status and body."""
    with closing(HTTPConnection(emulator.host, emulator.port, timeout=60)) as connection:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
