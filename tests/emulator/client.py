"""What many tests do: execute a statement, send a request, and list faults."""

import json
import urllib.request

SHOW = "SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')"


def show(session):
    """Execute a statement. Without jobs, it returns ``[("[]",)]``."""
    return session.cursor().execute(SHOW).fetchall()


def kinds(faults):
    """Return the kind of each fault."""
    return [fault.kind for fault in faults]


def request_json(emulator, path, *, method="GET", data=None):
    """Send a request, and return the JSON of the response."""
    request = urllib.request.Request(emulator.url + path, method=method, data=data)
    with urllib.request.urlopen(request, timeout=9) as response:
        return json.load(response)


def post(emulator, path, body):
    """Send *body* as JSON, and return the JSON of the response."""
    return request_json(emulator, path, method="POST", data=json.dumps(body).encode())
