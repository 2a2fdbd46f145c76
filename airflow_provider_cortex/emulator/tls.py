"""Certificates for clients that insist on HTTPS."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Certificates:
    """Two files: what the server shows, and what clients must trust."""

    server: Path
    authorities: Path
    """Public authorities and ours, for REQUESTS_CA_BUNDLE or SSL_CERT_FILE."""

    @classmethod
    def kept_in(cls, directory: Path, *, host: str) -> Self:
        """Return the certificates in *directory*, made now if there are none yet."""
        kept = cls(directory / "server.pem", directory / "authorities.pem")
        if not (kept.server.exists() and kept.authorities.exists()):
            directory.mkdir(parents=True, exist_ok=True)
            kept._make(host)
        return kept

    def _make(self, host: str) -> None:
        # Needed by this option only.
        import certifi
        import trustme

        authority = trustme.CA()
        server = authority.issue_cert(*{host, "localhost", "127.0.0.1"})
        self.server.write_bytes(server.private_key_and_cert_chain_pem.bytes())
        self.server.chmod(0o600)
        ours = authority.cert_pem.bytes().decode()
        self.authorities.write_text(f"{certifi.contents()}\n{ours}")
