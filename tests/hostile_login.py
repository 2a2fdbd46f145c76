"""A Snowflake that lets everybody in, and writes down what they ask for."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Logins:
    """The logins so far, each with what the URL and the body said; and where to log in."""

    port: int
    told: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Logins]:
    """Listen while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, else the second one waits for the first

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            url = urlsplit(self.path)
            if url.path == "/session/v1/login-request":
                query = parse_qs(url.query, keep_blank_values=True, errors="strict")
                settings = {name: value for name, (value,) in query.items()}
                logins.told.append(settings | json.loads(body)["data"]["SESSION_PARAMETERS"])
            data = {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": []}
            answer = json.dumps({"success": True, "data": data | {"sessionInfo": {}}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        logins = Logins(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield logins
        finally:
            server.shutdown()
            thread.join()
