"""Faults of policy documents: what is wrong, where, and AWS's sentence for it where one is known.

Spec: IAM user guide, "Grammar of the IAM JSON policy language"; the sentences are those that IAM answers with.
"""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """What can be wrong with a document. The value is IAM's sentence; braces stand for what was found."""

    SYNTAX = "Syntax errors in policy."
    JSON = "This policy contains invalid Json"
    TOO_LONG = "Cannot exceed quota for PolicySize: {found}"
    VERSION = "Policy document must be version 2012-10-17 or greater."
    LEGACY = "The policy failed legacy parsing"
    SID_TWICE = "Statement IDs (SID) in a single policy must be unique."
    SID_FORM = (
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )
    NO_ACTION = "Policy statement must contain actions."
    NO_RESOURCE = "Policy statement must contain resources."
    NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    COLONS = "Actions/Condition can contain only one colon."
    VENDOR = "Vendor {found} is not valid"
    RESOURCE_FORM = 'Resource {found} must be in ARN format or "*".'
    PARTITION = 'Partition "{found}" is not valid for resource "{resource}".'
    RESOURCE_VENDOR = "Resource vendor must be fully qualified and cannot contain regexes."
    S3_REGION = "Resource {found} can not contain region information."
    IAM_REGION = "IAM resource {found} cannot contain region information."
    IAM_RESOURCE = (
        'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
        "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, "
        "access-report/."
    )
    PRINCIPAL_PROHIBITED = "Policy document should not specify a principal."
    PRINCIPAL_MISSING = "Missing required field Principal"
    PRINCIPAL_FORM = 'Invalid principal in policy: "{kind}":"{found}"'
    RESOURCE_PROHIBITED = "Has prohibited field Resource"
    TRUST_ACTION = "AssumeRole policy may only specify STS AssumeRole actions."
    FOREIGN_ACTION = "The action is none of those that the policy decides"
    """ECR gives no reason; these words are ours."""


class PolicyInvalid(Exception):
    """Not a policy document of its kind.

    `fault` says what is wrong, `position` where: `Statement[1].Action[0]`, or line and column of broken JSON;
    `details` fill the sentence.
    """

    def __init__(self, fault: Fault, position: str, **details: str) -> None:
        super().__init__(fault, position, details)
        self.fault, self.position, self.details = fault, position, details

    @property
    def sentence(self) -> str:
        """AWS's words."""
        return self.fault.value.format(**self.details)

    def __str__(self) -> str:
        return f"{self.position}: {self.sentence}" if self.position else self.sentence
