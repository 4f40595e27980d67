"""AWS's chain of settings and credentials: botocore's own, for programs that cannot ask a person.

Credentials that a call to STS or SSO gave are kept where the AWS CLI keeps them, in its form, so that neither program
makes the other's calls again, and a profile with MFA works for as long as the CLI's answer holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import JSONFileCache, ReadOnlyCredentials, create_credential_resolver
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.exceptions import ClientError as ServiceError
from botocore.parsers import ResponseParserError

from entrepot.clients.client_error import ClientError, NoCredentials

_CONNECT_SECONDS = 5
_READ_SECONDS = 20  # the kubelet gives a provider a minute for everything
_ATTEMPTS = 3
_STATIC = {"env", "shared-credentials-file", "config-file"}


@dataclass(frozen=True, slots=True)
class Chain:
    """One profile's settings and credentials, or the environment's."""

    session: Any
    profile: str | None

    @classmethod
    def open(cls, profile: str | None = None, *, may_ask: bool = False) -> Self:
        """Read the settings. `may_ask`: a person is there to type an MFA code.

        Raises:
            ClientError: the profile does not exist, or a file of settings cannot be read.
        """
        session = botocore.session.Session(profile=profile)
        if region := os.environ.get("AWS_REGION"):
            session.set_config_variable("region", region)  # botocore alone of the SDKs reads only AWS_DEFAULT_REGION
        with said_in_one_line():
            cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))
            resolver = create_credential_resolver(session, cache, session.get_config_variable("region"))
        if not may_ask:
            resolver.get_provider("assume-role")._prompter = _refuse_to_ask  # noqa: SLF001 - it would read the terminal
        session.register_component("credential_provider", resolver)
        return cls(session, profile)

    def region(self) -> str:
        """The region of profile or environment.

        Raises:
            ClientError: neither says one.
        """
        with said_in_one_line():
            region: str | None = self.session.get_config_variable("region")
        if not region:
            raise ClientError("no region: set AWS_REGION, or `region` in the AWS profile")
        return region

    def credentials(self) -> tuple[ReadOnlyCredentials, bool]:
        """The first credentials of the chain, and whether environment and files hold the keys themselves.

        Raises:
            NoCredentials: there are none.
            ClientError: a link of the chain is broken.
        """
        with said_in_one_line():
            found = self.session.get_credentials()
            if found is None:
                raise NoCredentials("no AWS credentials in environment, profile or container")
            keys = found.get_frozen_credentials()
        return keys, found.method in _STATIC

    def client(
        self,
        service: str,
        region: str,
        *,
        endpoint_url: str | None = None,
        keys: ReadOnlyCredentials | None = None,
        is_signed: bool = True,
    ) -> Any:
        """A client of a service, at the endpoint that the settings name unless one is given.

        Raises:
            ClientError: the settings make no client.
        """
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            signature_version=None if is_signed else UNSIGNED,
        )
        secrets = (
            {}
            if keys is None
            else {
                "aws_access_key_id": keys.access_key,
                "aws_secret_access_key": keys.secret_key,
                "aws_session_token": keys.token,
            }
        )
        with said_in_one_line():
            return self.session.create_client(service, region, endpoint_url=endpoint_url, config=config, **secrets)


@contextmanager
def said_in_one_line() -> Iterator[None]:
    """Around calls into botocore: its errors become ours."""
    try:
        yield
    except ServiceError as error:
        answer = error.response.get("Error", {})
        raise ClientError(_one_line(f"{answer.get('Code')}: {answer.get('Message')}")) from error
    except (BotoCoreError, HTTPClientError, ResponseParserError, OSError, ValueError) as error:
        raise ClientError(_one_line(str(error))) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _refuse_to_ask(_prompt: str) -> NoReturn:
    raise ClientError("the profile asks for an MFA code: run any `aws` command with it first")
