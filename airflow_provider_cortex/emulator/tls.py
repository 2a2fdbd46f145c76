"""TLS certificates, for clients that accept only HTTPS."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Certificates:
    """Two PEM files."""

    server: Path
    """The server's private key and certificate."""
    authorities: Path
    """Public authorities and ours, for REQUESTS_CA_BUNDLE or SSL_CERT_FILE."""

    @classmethod
    def kept_in(cls, directory: Path, *, host: str) -> Self:
        """Return the certificates in *directory*, and create them if they do not exist."""
        kept = cls(directory / "server.pem", directory / "authorities.pem")
        if not (kept.server.exists() and kept.authorities.exists()):
            directory.mkdir(parents=True, exist_ok=True)
            kept._create(host)
        return kept

    def _create(self, host: str) -> None:
        # Only this option needs them.
        import certifi
        import trustme

        authority = trustme.CA()
        server = authority.issue_cert(*{host, "localhost", "127.0.0.1"})
        self.server.write_bytes(server.private_key_and_cert_chain_pem.bytes())
        self.server.chmod(0o600)
        ours = authority.cert_pem.bytes().decode()
        self.authorities.write_text(f"{certifi.contents()}\n{ours}")
