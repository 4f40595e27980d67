"""KMS keys on a real server: a change through one worker holds on the other at once, also after kills and rotations."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.command import json_of, run_command
from tests.support.registry_client import RegistryClient, exchange
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY, Server
from tests.support.signing import signed

ROOT = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
CONTEXT = {"purpose": "test"}
DELEGATES = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": ACCOUNT}}
DENIES = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*", "Principal": "*"}


@dataclass(frozen=True, slots=True)
class Workers:
    """A connection to each worker."""

    url: str
    connections: tuple[http.client.HTTPConnection, ...]

    def ask(self, worker: int, operation: str, **parameters: Any) -> dict[str, Any]:
        """What one worker answers, or the code of its error as `__type`."""
        body = json.dumps(parameters).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
        request = signed("POST", f"{self.url}/", datetime.now(UTC), headers, body, key=ROOT, scope=(REGION, "kms"))
        answer = exchange(self.connections[worker], "POST", "/", body, dict(request.headers))
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def done(self, worker: int, operation: str, **parameters: Any) -> dict[str, Any]:
        """What one worker answers when it does it."""
        answer = self.ask(worker, operation, **parameters)
        assert "__type" not in answer, answer
        return answer

    def encrypt(self, worker: int, key_id: str) -> str:
        """The ciphertext of `secret`, in base64."""
        given = {"KeyId": key_id, "Plaintext": base64.b64encode(b"secret").decode(), "EncryptionContext": CONTEXT}
        blob: str = self.done(worker, "Encrypt", **given)["CiphertextBlob"]
        return blob

    def hears(self, ciphertext: str) -> set[str]:
        """What the workers make of a ciphertext: a text, or the code of an error."""
        answers = [
            self.ask(worker, "Decrypt", CiphertextBlob=ciphertext, EncryptionContext=CONTEXT)
            for worker in range(len(self.connections))
        ]
        return {one.get("__type") or base64.b64decode(one["Plaintext"]).decode() for one in answers}


@contextmanager
def workers_of(server: Server) -> Iterator[Workers]:
    client = RegistryClient(server)
    connections = tuple(client.connect(pid) for pid in server.worker_pids())
    try:
        yield Workers(server.url, connections)
    finally:
        for connection in connections:
            connection.close()


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_what_one_worker_does_holds_on_the_other_at_once(server: Server) -> None:
    with workers_of(server) as workers:
        key_id = workers.done(0, "CreateKey")["KeyMetadata"]["KeyId"]
        other = workers.done(1, "CreateKey")["KeyMetadata"]["KeyId"]
        blob = workers.encrypt(1, key_id)
        for turn in range(6):
            here, there = turn % 2, 1 - turn % 2
            assert workers.hears(blob) == {"secret"}
            workers.done(here, "DisableKey", KeyId=key_id)
            assert workers.hears(blob) == {"DisabledException"}
            workers.done(there, "EnableKey", KeyId=key_id)
            assert workers.hears(blob) == {"secret"}
            workers.done(here, "PutKeyPolicy", KeyId=key_id, Policy=policy(DELEGATES, DENIES))
            assert workers.hears(blob) == {"AccessDeniedException"}
            workers.done(there, "PutKeyPolicy", KeyId=key_id, Policy=policy(DELEGATES))
            workers.done(here, "CreateAlias", AliasName="alias/now", TargetKeyId=key_id)
            assert workers.done(there, "DescribeKey", KeyId="alias/now")["KeyMetadata"]["KeyId"] == key_id
            workers.done(there, "UpdateAlias", AliasName="alias/now", TargetKeyId=other)
            assert workers.done(here, "DescribeKey", KeyId="alias/now")["KeyMetadata"]["KeyId"] == other
            workers.done(there, "DeleteAlias", AliasName="alias/now")
            workers.done(here, "ScheduleKeyDeletion", KeyId=key_id)
            assert workers.hears(blob) == {"KMSInvalidStateException"}
            workers.done(there, "CancelKeyDeletion", KeyId=key_id)
            assert workers.hears(blob) == {"DisabledException"}
            workers.done(here, "EnableKey", KeyId=key_id)


def test_old_versions_open_after_rotations_kills_and_another_master_key(server: Server) -> None:
    blobs = []
    with workers_of(server) as workers:
        key_id = workers.done(0, "CreateKey")["KeyMetadata"]["KeyId"]
        for turn in range(4):
            blobs.append(workers.encrypt(turn % 2, key_id))
            workers.done(1 - turn % 2, "RotateKeyOnDemand", KeyId=key_id)
        rotated = run_command(server, "keys", "rotate")
        assert rotated.returncode == 0, rotated.stderr
        blobs.append(workers.encrypt(0, key_id))
        workers.done(1, "RotateKeyOnDemand", KeyId=key_id)
        assert all(workers.hears(blob) == {"secret"} for blob in blobs)
    server.kill()
    server.start()
    with workers_of(server) as workers:
        assert all(workers.hears(blob) == {"secret"} for blob in blobs)
        assert len(workers.done(0, "ListKeyRotations", KeyId=key_id)["Rotations"]) == 5
    assert json_of(run_command(server, "verify", "--json"))["findings"] == []
