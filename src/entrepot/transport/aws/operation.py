"""The table of operations of all services.

Every operation of every model that we speak has a row, of EC2 those that have to do with endpoints; a test compares
them. One without a handler answers
UnknownOperationException and stands as missing in the coverage page.
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.ec2.rows import ROWS as EC2_ROWS
from entrepot.transport.aws.ecr.rows import ROWS as ECR_ROWS
from entrepot.transport.aws.entrepot.rows import ROWS as OWN_ROWS
from entrepot.transport.aws.iam.rows import ROWS as IAM_ROWS
from entrepot.transport.aws.kms.rows import ROWS as KMS_ROWS
from entrepot.transport.aws.row import Row
from entrepot.transport.aws.sts.rows import ROWS as STS_ROWS

OPERATIONS: Final[dict[tuple[str, str], Row]] = {
    (row.service, row.name): row for row in (*EC2_ROWS, *ECR_ROWS, *OWN_ROWS, *IAM_ROWS, *KMS_ROWS, *STS_ROWS)
}
"""Rows by service and name of the operation."""


def find_operation(service: str, name: str) -> Row | None:
    """The row of an operation that has a handler; None for any other name."""
    row = OPERATIONS.get((service, name))
    return None if row is None or row.handler is None else row


def coverage_table() -> str:
    """The operations as a Markdown table, for the documents."""
    lines = ["| service | operation | status | IAM action | resource |", "|---|---|---|---|---|"]
    for row in OPERATIONS.values():
        status = "missing" if row.handler is None else "works"
        lines.append(f"| {row.service} | {row.name} | {status} | {row.needs} | {row.resource} |")
    return "\n".join(lines) + "\n"
