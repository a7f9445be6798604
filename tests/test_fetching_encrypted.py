"""Fetching over HTTPS: a server proves the name that was asked for, although its number is what is connected to."""

import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from picture_server import Served, picture_server, redirect, trickle

from nearid_search.config import FetchConfig
from nearid_search.errors import UnreadableImageError
from nearid_search.fetching import Fetched, fetch_picture

HOST = "pictures.example"
LOOPBACK = FetchConfig(networks=("127.0.0.1/32",), pause=0.01, seconds=2.0)
Certify = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def everything_resolves_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    true_lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **named: true_lookup("127.0.0.1", *args, **named))


@pytest.fixture
def certify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certify:
    """Sign a certificate with its own key and trust it as a user would, who names it in ``SSL_CERT_FILE``."""

    def sign(host: str = HOST, *, trusted: bool = True, expired: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        ends = datetime.now(UTC) + timedelta(hours=-1 if expired else 1)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(ends - timedelta(hours=2))
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        public, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
        public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(public))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(public, private)
        return context

    return sign


def fetched(served: Served, path: str = "1.png", config: FetchConfig = LOOPBACK) -> Fetched | None:
    return fetch_picture(served.url(path, HOST), config)


def test_a_picture_comes_over_https(certify: Certify) -> None:
    with picture_server(certify()) as served:
        served.pictures["1.png"] = b"picture"
        served.behaviours["hop"] = redirect(served.url("1.png", HOST))
        found = fetched(served)
        assert found is not None
        assert found.data == b"picture"
        assert fetched(served, "hop") == found
        assert fetch_picture(served.url("1.png", HOST), LOOPBACK, etag=found.etag) is None


def test_a_number_in_a_private_network_is_refused_before_anything_is_proved(certify: Certify) -> None:
    with picture_server(certify()) as served, pytest.raises(UnreadableImageError, match="no public address"):
        fetched(served, config=FetchConfig())


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        ({"trusted": False}, "certificate verify failed: self-signed"),
        ({"host": "another.example"}, "not valid for 'pictures.example'"),
        ({"expired": True}, "certificate has expired"),
    ],
)
def test_a_server_that_proves_nothing_is_asked_for_nothing(
    of: dict[str, object], reason: str, certify: Certify
) -> None:
    context, greeted = certify(**of), list[str | None]()
    context.sni_callback = lambda _socket, name, _context: greeted.append(name)
    with picture_server(context) as served:
        served.pictures["1.png"] = b"picture"
        with pytest.raises(UnreadableImageError, match=reason):
            fetched(served)
    assert not served.asked
    assert greeted == [HOST], "another try would prove no more"


def test_a_server_that_does_not_encrypt_may_be_asked_again(certify: Certify) -> None:
    certify()
    with picture_server() as served:
        served.scheme = "https"
        with pytest.raises(UnreadableImageError, match=r"cannot be fetched: .*SSL"):
            fetched(served)
        assert not served.asked["1.png"]


def test_time_is_bounded_while_keys_are_exchanged_and_after(certify: Certify) -> None:
    short = FetchConfig(networks=LOOPBACK.networks, seconds=0.5, retries=0)
    started = time.monotonic()
    with picture_server(certify()) as served:
        served.behaviours["slow"] = trickle
        with pytest.raises(UnreadableImageError, match=r"took longer than 0\.5 s"):
            fetched(served, "slow", short)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = Served(port=silent.getsockname()[1], scheme="https")
        with pytest.raises(UnreadableImageError, match=r"took longer than 0\.5 s"):
            fetched(mute, config=short)
    assert time.monotonic() - started < 3
