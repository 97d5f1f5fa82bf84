"""The HTTP client among proxies, certificates, names, other programs' credentials and logs."""

import datetime as dt
import ipaddress
import logging
import socket
import ssl
import time
import traceback
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.children import python
from support.http_clients import FORMS, SECRET, InHeaders, InQuery, failure
from support.http_server import (
    Exchange,
    HttpServer,
    closes,
    cut_off,
    http_server,
    sends,
    strange,
)

from retrainer.adapters.http.answer import refused
from retrainer.adapters.http.client import Http
from retrainer.errors import ConfigurationError, ServerError


@pytest.fixture
def server():
    """A server that says ok."""
    with http_server(sends(200, b"ok")) as running:
        yield running


@pytest.fixture
def http(server):
    """A client of it."""
    with Http(server.url) as client:
        yield client


def run_with(server: HttpServer, code: str, environment: dict[str, str], *arguments: object) -> str:
    """What the code prints, run in a process of its own with this environment; `URL` is given."""
    setting = f"import os\nos.environ.update({environment!r})\nURL = {server.url!r}\n"
    with python(setting + code, *arguments) as child:
        output, errors = child.communicate(timeout=30)
    assert errors == ""
    return output


GET = """
from retrainer.adapters.http.client import Http
from retrainer.errors import ServerError
try:
    print(Http(URL).call("GET", "/x", limit=5).text)
except ServerError as error:
    print(error)
"""


def test_netrc_is_never_used(server, tmp_path):
    """Another program's credentials are not ours to send, neither after a redirection."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password S3CRET\n")
    (tmp_path / ".netrc").chmod(0o600)
    with http_server(sends(200, b"there")) as other:
        server.answers = [sends(302, Location="/y"), sends(302, Location=other.url)]
        home = {"HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc")}
        assert run_with(server, GET, home) == "there\n"
        asked = [*server.asked, *other.asked]
    assert len(asked) == 3
    assert [one for one in asked if "Authorization" in one.headers] == []


def test_a_proxy_is_used_unless_the_host_is_exempt(server):
    """Where a company has a proxy, it is respected; NO_PROXY too."""
    with http_server(sends(200, b"by proxy")) as proxy:
        asks = {"HTTP_PROXY": proxy.url}
        assert run_with(server, GET, asks) == "by proxy\n"
        assert run_with(server, GET, {**asks, "NO_PROXY": "127.0.0.1"}) == "ok\n"
        assert [asked.target for asked in proxy.asked] == [server.url + "/x"]


def test_a_proxy_that_is_down_is_named(server):
    """Who reads the error looks at the proxy, not at the server."""
    said = run_with(server, GET, {"HTTP_PROXY": "http://me:S3CRET@127.0.0.1:9"})
    assert said.endswith("/x: the proxy did not let it through\n")
    assert "S3C" not in said


def test_an_unknown_host_is_named():
    """A typing error in an address is seen at once, and not tried again."""
    begun = time.monotonic()
    with Http("http://refused.invalid:5002") as http:
        error = failure(http.call, "GET", "/x", limit=20, repeat=True)
    assert str(error).endswith("the name of the host is not known")
    assert "refused.invalid" in error.tip
    assert time.monotonic() - begun < 5


def test_nobody_listens():
    """A server that is down is said to be so."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with Http(f"http://127.0.0.1:{unused.getsockname()[1]}") as http:
            error = failure(http.call, "GET", "/resolve", limit=5)
    assert str(error).endswith("/resolve: nobody listens there")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for 127.0.0.1 that its own key signed, with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return path


@pytest.fixture
def secure(certificate):
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http_server(sends(200, b"safe"), context=context) as running:
        yield running


def test_an_unknown_certificate_is_refused(secure):
    """Nobody in between learns the token; the way to trust one's own authority is named."""
    with Http(secure.url, auth=InQuery(), secrets=[SECRET]) as http:
        error = failure(http.call, "GET", "/x", limit=5, repeat=True)
    assert "certificate is not trusted: self-signed certificate" in str(error)
    assert "ca_file" in error.tip
    assert secure.asked == []


@pytest.mark.parametrize("trust", ["file", "anybody"])
def test_a_certificate_may_be_trusted(secure, certificate, trust):
    """One's own authority by its file; or anybody, for those who ask for that."""
    with Http(secure.url, verify=str(certificate) if trust == "file" else False) as http:
        assert http.call("GET", "/x", limit=5).text == "safe"


def test_the_environment_does_not_change_whom_we_trust(secure, certificate, tmp_path):
    """What the config says wins over REQUESTS_CA_BUNDLE."""
    other = {"REQUESTS_CA_BUNDLE": str(tmp_path / "missing.pem")}
    code = GET.replace("Http(URL)", f"Http(URL, verify={str(certificate)!r})")
    assert run_with(secure, code, other) == "safe\n"


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_useless_file_of_authorities_is_named(tmp_path, content):
    """A wrong path in the config is found out at the start."""
    path = tmp_path / "authorities.pem"
    if content:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(path)):
        Http("https://127.0.0.1:9", verify=str(path))


def test_https_where_http_is_spoken(server):
    """A wrong scheme is no matter of trust."""
    with Http(server.url.replace("http:", "https:")) as http:
        error = failure(http.call, "GET", "/x", limit=5)
    assert "there is no secure connection" in str(error)
    assert "https" in error.tip


@pytest.mark.parametrize(
    "answering",
    [
        sends(200, b"ok"),
        sends(401, f'{{"message": "token {SECRET} is wrong"}}'.encode()),
        sends(302, Location="/x?api_token=S3CR%2FET%2Bx"),
        strange,
        closes,
        cut_off,
        Exchange.hang,
    ],
)
@pytest.mark.parametrize("auth", [InQuery(), InHeaders()])
def test_no_secret_is_logged_or_told(server, caplog, answering, auth):
    """However a call ends, and whatever is logged, the token is nowhere."""
    caplog.set_level(logging.DEBUG)
    server.answers = [answering]
    with Http(server.url, auth=auth, secrets=[SECRET]) as http:
        try:
            answer = http.call("GET", "/x", limit=0.4, params={"session": SECRET})
            said = f"{refused(answer)} {answer!r} {http!r}"
        except ServerError as error:
            said = "".join(traceback.format_exception(error))
    assert "S3CR" in server.asked[0].target + str(server.asked[0].headers)
    assert caplog.text
    assert not [form for form in FORMS if form in said + caplog.text]
