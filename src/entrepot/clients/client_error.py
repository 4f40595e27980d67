"""What a program on the user's machine cannot do: one line of text, never with a secret in it."""

from __future__ import annotations


class ClientError(Exception):
    """The text says why, in one line."""


class NoCredentials(ClientError):
    """AWS's chain of credentials ends without any."""
