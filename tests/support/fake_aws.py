"""A stand-in for ECR's and STS's APIs on a port of this machine: it notes what it is asked and answers as AWS would.

For clients whose own doing is tested: how often they ask, with which keys, and what they make of the answer.
"""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

_KEY = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


@dataclass(frozen=True)
class Asked:
    """One request."""

    operation: str
    parameters: dict[str, Any]
    access_key_id: str | None
    region: str | None


@dataclass
class FakeAws:
    """Answers, which tests change, and the requests so far."""

    url: str = ""
    token_seconds: float = 43200
    session_seconds: float = 3600
    proxy_endpoint: str | None = None
    """What GetAuthorizationToken names; None: where it listens."""
    refuses: tuple[str, str] | None = None
    """Code and message of an error that every request gets."""
    is_empty: bool = False
    """Whether STS answers without what it was asked for."""
    asked: list[Asked] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.rpartition("/")[2]

    def operations(self) -> list[str]:
        """The names of the operations asked for."""
        return [asked.operation for asked in self.asked]

    def answer(self, target: str | None, authorization: str, body: str) -> tuple[int, str, str]:
        """Status, media type and body."""
        key = _KEY.search(authorization)
        parameters = json.loads(body) if target else dict(parse_qsl(body))
        operation = target.rpartition(".")[2] if target else parameters["Action"]
        self.asked.append(Asked(operation, parameters, key[1] if key else None, key[2] if key else None))
        if target:
            return self._token(len(self.asked))
        return self._role(operation, parameters, len(self.asked))

    def _token(self, number: int) -> tuple[int, str, str]:
        if self.refuses:
            return (
                400,
                "application/x-amz-json-1.1",
                json.dumps({"__type": self.refuses[0], "message": self.refuses[1]}),
            )
        data = {
            "authorizationToken": b64encode(f"AWS:token-{number}".encode()).decode(),
            "expiresAt": time.time() + self.token_seconds,
            "proxyEndpoint": self.proxy_endpoint or self.url,
        }
        return 200, "application/x-amz-json-1.1", json.dumps({"authorizationData": [data]})

    def _role(self, operation: str, parameters: dict[str, str], number: int) -> tuple[int, str, str]:
        if self.refuses:
            error = "<Code>{}</Code><Message>{}</Message>".format(*self.refuses)
            return 403, "text/xml", f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
        expiry = datetime.fromtimestamp(time.time() + self.session_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = (
            f"<AccessKeyId>ASIAROLE{number:012}</AccessKeyId><SecretAccessKey>role-secret-{number}</SecretAccessKey>"
            f"<SessionToken>role-token-{number}</SessionToken><Expiration>{expiry}</Expiration>"
        )
        user = f"<AssumedRoleId>AROA:{number}</AssumedRoleId><Arn>{parameters['RoleArn']}</Arn>"
        result = "" if self.is_empty else f"<Credentials>{keys}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        space = "https://sts.amazonaws.com/doc/2011-06-15/"
        inner = f"<{operation}Result>{result}</{operation}Result>"
        return 200, "text/xml", f'<{operation}Response xmlns="{space}">{inner}</{operation}Response>'


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """One that listens until the block ends."""
    fake = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, kind, text = fake.answer(
                self.headers.get("X-Amz-Target"), self.headers.get("Authorization", ""), body
            )
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
