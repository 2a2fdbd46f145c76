"""Certificates for HTTPS."""

import socket
import ssl

import certifi
import pytest
import trustme

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.tls import TRUST_VARIABLES, Certificates
from tests.emulator.client import request_json


@pytest.fixture(autouse=True)
def trusts_nothing_special(monkeypatch):
    """Let this process trust the public authorities only."""
    for name in TRUST_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def authorities(certificates):
    """Return the certificates of the authorities that a client trusts with these files."""
    return set(ssl.create_default_context(cafile=certificates.authorities).get_ca_certs(True))


def test_certificates_are_created_only_once(tmp_path):
    """Clients keep trusting the file after a restart. Only its owner may read the private key."""
    first, second = (Certificates.kept_in(tmp_path, hosts=["127.0.0.1"]) for _ in range(2))
    assert first == second
    kept = first.server.read_bytes()
    assert Certificates.kept_in(tmp_path, hosts=["127.0.0.1"]).server.read_bytes() == kept
    assert first.server.stat().st_mode & 0o077 == 0


def test_another_host_has_certificates_of_its_own(tmp_path):
    """A kept certificate is valid for one host, localhost and 127.0.0.1."""
    assert (
        len({Certificates.kept_in(tmp_path, hosts=[host]) for host in ("127.0.0.1", "a.test")}) == 2
    )


def test_the_certificate_is_valid_for_every_allowed_name():
    """Clients check the name by which they call the emulator."""
    with Emulator(allow_hosts=["cortex.test"]) as emulator:
        context = ssl.create_default_context(cafile=emulator.environment["SSL_CERT_FILE"])
        for name in "cortex.test", "localhost", "127.0.0.1":
            with (
                socket.create_connection((emulator.host, emulator.port), timeout=9) as plain,
                context.wrap_socket(plain, server_hostname=name) as encrypted,
            ):
                assert encrypted.version()


def test_the_emulators_of_a_process_share_their_certificates():
    """So a process can use several of them with one environment."""
    with Emulator() as one, Emulator() as other:
        assert one.certificates == other.certificates
        shared = one.environment.items() & other.environment.items()
    assert set(TRUST_VARIABLES) <= dict(shared).keys()


def test_the_public_authorities_are_trusted_as_before(tmp_path):
    """A process that trusts the emulator still reaches every other host."""
    made = Certificates.kept_in(tmp_path, hosts=["127.0.0.1"])
    public = set(ssl.create_default_context(cafile=certifi.where()).get_ca_certs(True))
    assert len(authorities(made) - public) == 1
    assert public <= authorities(made)


@pytest.mark.parametrize("name", TRUST_VARIABLES)
def test_a_company_s_authority_is_trusted_as_before(tmp_path, monkeypatch, name):
    """What REQUESTS_CA_BUNDLE or SSL_CERT_FILE names is among the authorities."""
    company = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(company)
    monkeypatch.setenv(name, str(company))
    made = Certificates.kept_in(tmp_path, hosts=["127.0.0.1"])
    before = set(ssl.create_default_context(cafile=company).get_ca_certs(True))
    assert before < authorities(made)


def test_plain_http_is_an_option():
    """Then clients need no authorities, and the connection names the protocol."""
    with Emulator(tls=False) as emulator:
        assert emulator.environment.keys() & set(TRUST_VARIABLES) == set()
        assert '"protocol": "http"' in emulator.airflow_connection
        assert request_json(emulator, "/emulator/jobs") == []
