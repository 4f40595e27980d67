"""ARN patterns: the Resource and NotResource of statements, and what the Arn operators compare with.

Spec: IAM user guide, "IAM JSON policy elements: Resource": wildcards stay within one of the six segments, a resource
being all that follows the fifth colon; missing segments are `*`; no wildcard in the service.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.template import Context, Part, Template, Variable, parts_of
from entrepot.domain.policy.wildcard import Wild

_SEGMENTS: Final = 6
PARTITIONS: Final = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e"})
_SERVICE: Final = 2
"""Index of an ARN's service among its segments."""
_FIXED: Final = re.compile(r"[^*?$]*")
_IAM_KINDS: Final = tuple(
    f"{kind}/"
    for kind in (
        "user",
        "federated-user",
        "role",
        "group",
        "instance-profile",
        "mfa",
        "server-certificate",
        "policy",
        "sms-mfa",
        "saml-provider",
        "oidc-provider",
        "report",
        "access-report",
    )
)
"""What resources of IAM begin with."""


class ArnPattern:
    """A pattern of ARNs."""

    __slots__ = ("_any", "_fixed", "_segments", "_whole", "prefix")

    def __init__(self, text: str, *, variables: bool) -> None:
        parts = list(parts_of(text, variables=variables, wildcards=True))
        segments = _split(parts)
        self._any = text == "*"
        self._segments = tuple(Template(segment) for segment in segments)
        # Where only the resource has wildcards, segments need not be looked at one by one.
        is_simple = all(template.fixed and template.fixed.exact is not None for template in self._segments[:-1])
        self._whole = Template(parts) if is_simple and len(segments) == _SEGMENTS else None
        self._fixed = self._whole.fixed if self._whole else None
        self.prefix = "".join(str(part) for part in takewhile(lambda part: type(part) is str, parts))
        """What every matching ARN begins with."""

    @property
    def is_fixed(self) -> bool:
        """Whether it means the same in every request: it has no variables."""
        return self._any or all(template.fixed for template in self._segments)

    def matches(self, arn: str, context: Context) -> bool:
        """Whether the ARN, or the `*` of an action without resources, is meant."""
        if self._any:
            return True
        if self._fixed:
            return self._fixed.matches(arn)
        if self._whole:
            return self._whole.matches(arn, context)
        segments = arn.split(":", _SEGMENTS - 1)
        if len(segments) != _SEGMENTS:
            return False
        return all(
            template.matches(segment, context)
            for template, segment in zip(self._segments, segments, strict=False)  # missing templates are `*`
        )


def check_resource(text: str, position: str, *, is_iam: bool) -> None:
    """Check an element of Resource or NotResource; IAM looks further into ARNs of its own and of S3.

    Raises:
        PolicyInvalid: not `*` and not an ARN, an unknown partition, a service with wildcards, a region or a kind of
            resource that the service does not have.
    """
    if text == "*":
        return
    segments = text.split(":", _SEGMENTS - 1)
    if len(segments) == 1:
        raise PolicyInvalid(Fault.RESOURCE_FORM, position, found=text)
    if segments[1] not in PARTITIONS and segments[1] != "*":
        raise PolicyInvalid(Fault.PARTITION, position, found=segments[1], resource=_completed(segments))
    if segments[0] != "arn":
        raise PolicyInvalid(Fault.RESOURCE_FORM, position, found=text)
    service = segments[_SERVICE] if len(segments) > _SERVICE else ""
    if not service or any(character in service for character in "*?$"):
        raise PolicyInvalid(Fault.RESOURCE_VENDOR, position)
    if is_iam and len(segments) == _SEGMENTS:
        _check_regionless(segments, position)


def _check_regionless(segments: list[str], position: str) -> None:
    """IAM has no regions; S3 has none where no account is named, as in ARNs of access points."""
    _, _, service, region, account_id, resource = segments
    text = ":".join(segments)
    if service == "s3" and region and not account_id:
        raise PolicyInvalid(Fault.S3_REGION, position, found=text)
    if service == "iam" and region:
        raise PolicyInvalid(Fault.IAM_REGION, position, found=text)
    if service == "iam" and not _is_of_iam(resource):
        raise PolicyInvalid(Fault.IAM_RESOURCE, position)


def _is_of_iam(resource: str) -> bool:
    """Whether it can be a resource of IAM: what stands before the first wildcard or variable decides."""
    fixed = _FIXED.match(resource)
    start = fixed[0] if fixed else ""
    if start == resource:
        return resource == "root" or resource.startswith(_IAM_KINDS)
    return start.startswith(_IAM_KINDS) or any(kind.startswith(start) for kind in (*_IAM_KINDS, "root"))


def _completed(segments: list[str]) -> str:
    return ":".join(["arn", *segments[1:], *["*"] * (_SEGMENTS - len(segments))])


def _split(parts: list[Part]) -> list[list[Part]]:
    """Split at the first five colons of the policy's own text, never at one inside a variable."""
    segments: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Variable | Wild):
            segments[-1].append(part)
            continue
        first, *rest = part.split(":", _SEGMENTS - len(segments))
        segments[-1].append(first)
        segments.extend([piece] for piece in rest)
    return segments
