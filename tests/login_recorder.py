"""A server that accepts every login and records its settings."""

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
    """The port to log in at, and the logins so far."""

    port: int
    settings: list[dict[str, Any]] = field(default_factory=list)
    """Of each login, those in its URL and in its body."""


@contextmanager
def listening() -> Iterator[Logins]:
    """Listen while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second would wait for the first

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            url = urlsplit(self.path)
            if url.path == "/session/v1/login-request":
                query = parse_qs(url.query, keep_blank_values=True, errors="strict")
                parameters = json.loads(body)["data"]["SESSION_PARAMETERS"]
                logins.settings.append({name: v for name, (v,) in query.items()} | parameters)
            data = {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": []}
            answer = json.dumps({"success": True, "data": data | {"sessionInfo": {}}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        logins = Logins(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield logins
        finally:
            server.shutdown()
            thread.join()
