"""Calls with boto3, as whoever the environment's profile says.

Standard input is a list of service, operation and parameters; standard output says of each call whether it went
through, or the code of its error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError


def code_of(service: str, operation: str, parameters: dict[str, Any]) -> str:
    """The code of the error of a call; empty if it went through."""
    try:
        getattr(boto3.client(service), operation)(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps([code_of(*call) for call in json.load(sys.stdin)]))
