"""ARNs: the names of things across accounts, regions and partitions.

Spec: AWS General Reference, "Amazon Resource Names"; Service Authorization Reference, "Amazon ECR".
"""

from __future__ import annotations

from functools import lru_cache

from entrepot.domain.error import InvalidParameter, InvalidResourceArn, NameInvalid
from entrepot.domain.iam import EntityKind
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, parse_repository_name

_FIELDS = 6
_ACCOUNT = 4
"""Of an ARN's six fields: arn, partition, service, region, account, resource."""
_RESOURCE = "repository/"
_KINDS = frozenset(kind.value for kind in EntityKind)


def account_of(text: str) -> str | None:
    """The account field of an ARN, empty where it has none; None for what is no ARN."""
    fields = text.split(":", _FIELDS - 1)
    return fields[_ACCOUNT] if len(fields) == _FIELDS else None


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


@lru_cache(maxsize=4096)
def repository_of(text: str) -> tuple[Registry, RepositoryName] | None:
    """The repository that an ARN of ours names, existing or not, `*` being none of them; None for any other ARN."""
    fields = text.split(":", _FIELDS - 1)
    if len(fields) != _FIELDS or fields[2] != "ecr" or not fields[5].startswith(_RESOURCE):
        return None
    return Registry(fields[4], fields[3]), RepositoryName(fields[5].removeprefix(_RESOURCE))


def ec2_resource_of(text: str) -> tuple[Registry, str] | None:
    """Account, region and id of what an ARN of EC2 names, such as `vpce-…`; None for any other ARN."""
    fields = text.split(":", _FIELDS - 1)
    if len(fields) != _FIELDS or fields[2] != "ec2":
        return None
    return Registry(fields[4], fields[3]), fields[5].partition("/")[2]


def entity_of(text: str) -> tuple[str, EntityKind, str] | None:
    """Account, kind and name of the entity of IAM that an ARN names, whatever its path; None for any other ARN."""
    fields = text.split(":", _FIELDS - 1)
    if len(fields) != _FIELDS or fields[2] != "iam":
        return None
    kind, _, rest = fields[5].partition("/")
    name = rest if kind == EntityKind.PROVIDER.value else rest.rpartition("/")[2]
    return (fields[4], EntityKind(kind), name) if kind in _KINDS and name else None


def moved_arn(arn: str, path: str | None, name: str | None) -> str:
    """The ARN of an entity of IAM at another path, under another name, or both; None leaves it as it is."""
    head, _, rest = arn.partition("/")
    old_path, _, old_name = f"/{rest}".rpartition("/")
    return f"{head}{path or f'{old_path}/'}{name or old_name}"
