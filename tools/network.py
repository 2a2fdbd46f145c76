"""This machine's loopback address and its ports."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"
"""The only address on which our servers listen."""


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def is_listening(port: int) -> bool:
    """Return whether a server listens on *port*."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
