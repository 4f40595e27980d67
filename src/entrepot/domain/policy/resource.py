"""ARN patterns: the Resource and NotResource of statements, and what the Arn operators compare with.

Spec: IAM user guide, "IAM JSON policy elements: Resource": wildcards stay within one of the six segments, a resource
being all that follows the fifth colon; missing segments are `*`; no wildcard in the service.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.template import Context, Part, Template, Variable, parts_of
from entrepot.domain.policy.wildcard import Wild

_SEGMENTS: Final = 6
_PARTITIONS: Final = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e"})
_SERVICE: Final = 2
"""Index of an ARN's service among its segments."""


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


def check_resource(text: str, position: str, *, is_whole: bool) -> None:
    """Check an element of Resource or NotResource; `is_whole` refuses ARNs that IAM takes for cut short.

    Raises:
        PolicyInvalid: not `*` and not an ARN, an unknown partition, a service with wildcards, or cut short.
    """
    if text == "*":
        return
    segments = text.split(":", _SEGMENTS - 1)
    if len(segments) == 1:
        raise PolicyInvalid(Fault.RESOURCE_FORM, position, found=text)
    if segments[1] not in _PARTITIONS and segments[1] != "*":
        raise PolicyInvalid(Fault.PARTITION, position, found=segments[1], resource=_completed(segments))
    if segments[0] != "arn":
        raise PolicyInvalid(Fault.RESOURCE_FORM, position, found=text)
    service = segments[_SERVICE] if len(segments) > _SERVICE else ""
    if not service or any(character in service for character in "*?$"):
        raise PolicyInvalid(Fault.RESOURCE_VENDOR, position)
    if is_whole and len(segments) < _SEGMENTS and "::" in text:
        raise PolicyInvalid(Fault.LEGACY, position)


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
