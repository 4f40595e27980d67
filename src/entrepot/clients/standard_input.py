"""Standard input of programs that others call: one request, as text."""

from __future__ import annotations

import sys
from typing import Final

from entrepot.clients.client_error import ClientError

CHARACTERS_MAX: Final = 1 << 20
"""More than any request has; what comes after is not read."""


def read_request() -> str:
    """What the caller wrote.

    Raises:
        ClientError: it is not text.
    """
    try:
        return sys.stdin.read(CHARACTERS_MAX)
    except UnicodeDecodeError as error:
        raise ClientError("the request is not UTF-8") from error
