"""TLS certificates: Airflow's own Snowflake tasks accept only HTTPS."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""The environment variables in which HTTPS clients look for the authorities to trust."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Two PEM files."""

    server: Path
    """The server's private key and certificate."""
    authorities: Path
    """The authorities that clients trusted before, and ours, for *TRUST_VARIABLES*."""

    @classmethod
    def kept_in(cls, directory: Path, *, hosts: Collection[str]) -> Self:
        """
        Return the certificates for *hosts* in *directory*, and create them if they do not exist.

        They are also valid for ``localhost`` and ``127.0.0.1``.
        """
        folder = directory.absolute() / "+".join(sorted(hosts))
        kept = cls(folder / "server.pem", folder / "authorities.pem")
        if not (kept.server.exists() and kept.authorities.exists()):
            folder.mkdir(parents=True, exist_ok=True)
            kept._create(hosts)
        return kept

    @classmethod
    def of_this_process(cls, *, hosts: Collection[str]) -> Self:
        """Return certificates that all emulators of this process share, and that end with it."""
        return cls.kept_in(_temporary_directory(), hosts=hosts)

    def _create(self, hosts: Collection[str]) -> None:
        # Only HTTPS needs it.
        import trustme

        authority = trustme.CA()
        server = authority.issue_cert(*{*hosts, "localhost", "127.0.0.1"})
        self.server.touch(mode=0o600)
        self.server.write_bytes(server.private_key_and_cert_chain_pem.bytes())
        ours = authority.cert_pem.bytes().decode()
        self.authorities.write_text("\n".join([*_trusted_authorities(), ours]))


def _trusted_authorities() -> list[str]:
    """
    Return the authorities that clients of this process trust, as PEM.

    A company's own may be among them, so a process that also trusts ours reaches all it did before.
    """
    import certifi

    named = {Path(os.environ.get(name, "")) for name in TRUST_VARIABLES}
    files = sorted(path for path in named if path.is_file())
    return [path.read_text() for path in files] or [certifi.contents()]


@cache
def _temporary_directory() -> Path:
    directory = tempfile.mkdtemp(prefix="cortex-emulator-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)
