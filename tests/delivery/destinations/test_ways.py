"""How an address is reached: over which connections, by which proxy, with which certificates."""

from __future__ import annotations

import ssl
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from instrument import Unavailable
from instrument.delivery.destinations.segment import SegmentDestination
from tests.delivery.envelopes import envelope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.instrument_delivery


class Server(ThreadingHTTPServer):
    """Takes every batch, and knows from where, and for which target, each one came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections: list[int] = []
        self.targets: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.connections.append(self.client_address[1])
        self.server.targets.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b'{"success":true}')

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def environment_without_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def secured(server: Server, certificate: Path) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # The handshake is the handler's, so that one that fails ends its thread alone.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def send(destination: SegmentDestination, batches: int = 1) -> None:
    try:
        for _ in range(batches):
            destination.send([envelope(1)])
    finally:
        destination.close()


def test_batches_go_over_one_connection(server: Server) -> None:
    send(SegmentDestination("key", host=f"http://{server.address}"), batches=3)
    assert server.targets == ["/v1/batch"] * 3
    assert len(set(server.connections)) == 1


def test_a_destination_that_was_closed_opens_another_connection(server: Server) -> None:
    destination = SegmentDestination("key", host=f"http://{server.address}")
    for _ in range(2):
        send(destination)
    assert len(set(server.connections)) == 2


def test_the_proxy_of_the_settings_is_asked_for_the_whole_address(server: Server) -> None:
    proxies = {"http": f"http://{server.address}"}
    send(SegmentDestination("key", host="http://segment.invalid", proxies=proxies), batches=2)
    assert server.targets == ["http://segment.invalid/v1/batch"] * 2
    assert len(set(server.connections)) == 1


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_certificates_of_the_environment_are_trusted(
    secured: Server, certificate: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    send(SegmentDestination("key", host=f"https://{secured.address}"), batches=2)
    assert len(set(secured.connections)) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(secured: Server) -> None:
    with pytest.raises(Unavailable, match=r"cannot be reached \(SSLError\)"):
        send(SegmentDestination("key", host=f"https://{secured.address}"))
    assert secured.connections == []


def test_certificates_that_are_not_there_are_no_reason_to_trust_anybody(
    secured: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(Unavailable, match=r"cannot be reached \(OSError\)"):
        send(SegmentDestination("key", host=f"https://{secured.address}"))
    assert secured.connections == []
