"""The web server of a test issuer, over TLS: its configuration, its keys, and tokens as GitHub gives them to jobs."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.certificate import make_certificates
from tests.support.web_identity import TestIssuer

_CONFIGURATION = "/.well-known/openid-configuration"
REQUEST_TOKEN = "request-token-of-a-job"
"""What a job must show to be given a token."""


@dataclass
class IssuerSite:
    """What is published, which tests change, and what was asked for. Every path of it is an issuer with these keys."""

    name: str
    """Host, port and path, as an issuer is named without `https://`."""
    ca: Path
    issuer: TestIssuer = field(default_factory=TestIssuer)
    published: tuple[str, ...] = ()
    """Ids of the keys that it says it has; empty: all."""
    keys_url: str = ""
    """What the configuration names; empty: the keys of this server."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Path → where to."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Of the tokens that it gives to jobs."""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What tokens say as `iss`."""
        return f"https://{self.name}"

    def token(self, **claims: Any) -> str:
        """A token of now."""
        return self.issuer.token(datetime.now(UTC), **{"iss": self.url, **self.claims, **claims})

    def answer(self, target: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET."""
        parts = urlsplit(target)
        self.asked.append(parts.path)
        if parts.path in self.redirects:
            return 302, {"Location": self.redirects[parts.path]}, b""
        if parts.path.endswith(_CONFIGURATION):
            host = f"https://{self.name.partition('/')[0]}"
            issuer = host + parts.path.removesuffix(_CONFIGURATION)
            document = {"issuer": issuer, "jwks_uri": self.keys_url or f"{host}/keys"}
            return 200, {}, json.dumps(document).encode()
        if parts.path == "/keys":
            return 200, {}, self.issuer.key_set(*self.published)
        if parts.path == "/job-token" and authorization == f"bearer {REQUEST_TOKEN}":
            (audience,) = parse_qs(parts.query)["audience"]
            return 200, {}, json.dumps({"value": self.token(aud=audience)}).encode()
        return 404, {}, b""


@contextmanager
def issuer_site(directory: Path, listener: socket.socket, host: str, path: str = "") -> Iterator[IssuerSite]:
    """Serve an issuer at `https://HOST` with a path on a listening socket, with a certificate of a CA of its own."""
    made = make_certificates(directory, [host.partition(":")[0]])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    site = IssuerSite(f"{host}{path}", made.ca)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = context.wrap_socket(listener, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
