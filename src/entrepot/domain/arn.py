"""ARNs: the names of things across accounts, regions and partitions.

Spec: AWS General Reference, "Amazon Resource Names"; Service Authorization Reference, "Amazon ECR".
"""

from __future__ import annotations

from entrepot.domain.error import InvalidParameter, InvalidResourceArn, NameInvalid
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, parse_repository_name

_FIELDS = 6
_RESOURCE = "repository/"


def parse_repository_arn(text: str) -> tuple[Registry, RepositoryName]:
    """Read `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.

    Raises:
        InvalidResourceArn: anything else, or a partition that the region is not in.
    """
    fields = text.split(":", _FIELDS - 1)
    if len(fields) != _FIELDS or (fields[0], fields[2]) != ("arn", "ecr") or not fields[5].startswith(_RESOURCE):
        raise InvalidResourceArn(text)
    try:
        registry = Registry.parse(fields[4], fields[3])
        name = parse_repository_name(fields[5].removeprefix(_RESOURCE))
    except (InvalidParameter, NameInvalid) as error:
        raise InvalidResourceArn(text) from error
    if fields[1] != registry.partition:
        raise InvalidResourceArn(text)
    return registry, name
