"""moto's KMS on a port of this machine, with an account of its own; it can be away for a while and keeps its keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tests.support.server import REGION, free_port

ACCOUNT = "123456789012"
"""moto's."""
CREDENTIALS = ("AKIAMOTOMOTOMOTOMOTO", "moto-takes-any-secret")


@dataclass
class MotoKms:
    """A running KMS."""

    port: int
    server: ThreadedMotoServer

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """boto3's client of it."""
        key, secret = CREDENTIALS
        named = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return boto3.client("kms", region_name=REGION, endpoint_url=self.url, **named)

    def create_key(self) -> str:
        """The ARN of a new key."""
        arn: str = self.client.create_key()["KeyMetadata"]["Arn"]
        return arn

    def go_away(self) -> None:
        """Nobody listens any more."""
        self.server.stop()

    def come_back(self) -> None:
        """As before, with the same keys."""
        self.server = _start(self.port)


@contextmanager
def moto_kms() -> Iterator[MotoKms]:
    """Start it, and end it."""
    port = free_port()
    running = MotoKms(port, _start(port))
    try:
        yield running
    finally:
        running.go_away()


def _start(port: int) -> ThreadedMotoServer:
    os.environ.setdefault("MOTO_CALL_RESET_API", "false")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server
