"""Authorization details: everything that decides about access in an account, in one list.

Users come first, then groups, roles, the account's policies and AWS's.

Spec: IAM API, GetAccountAuthorizationDetails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.managed_policy import AwsPolicies, PolicyArn, PolicyVersion, PolicyView
from entrepot.domain.page import Key, Page, PageRequest
from entrepot.service.iam.entity import name_key
from entrepot.service.iam.instance_profile import InstanceProfile, profiles_of_roles
from entrepot.service.iam.managed import read_arn, versions_of
from entrepot.service.iam.policy import PolicyFilter, PolicyScope, list_policies
from entrepot.service.iam.role import Role, shown_roles
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_attachment import list_attachments
from entrepot.store.metadata.iam_entity import EntityQuery, list_entities
from entrepot.store.metadata.iam_inline_policy import list_inline_policies
from entrepot.store.metadata.iam_member import list_group_names
from entrepot.store.metadata.iam_role import list_roles
from entrepot.store.metadata.iam_tag import list_tags_of_many


class DetailKind(Enum):
    """What a list can have, in its order; the values are IAM's EntityType."""

    USER = "User"
    GROUP = "Group"
    ROLE = "Role"
    LOCAL_POLICY = "LocalManagedPolicy"
    AWS_POLICY = "AWSManagedPolicy"


@dataclass(frozen=True, slots=True)
class HolderDetail:
    """A user, group or role with all that it has."""

    entity: Entity
    inline: Sequence[tuple[str, str]]
    """Names and documents."""
    attached: Sequence[PolicyArn]
    groups: Sequence[str]
    """Names, of a user."""
    tags: Mapping[str, str]
    role: Role | None = None
    profiles: Sequence[InstanceProfile] = ()
    """Of a role."""


@dataclass(frozen=True, slots=True)
class PolicyDetail:
    """A managed policy with its versions, newest first."""

    policy: PolicyView
    versions: Sequence[PolicyVersion]


Detail = HolderDetail | PolicyDetail

_HOLDERS: Final = {
    DetailKind.USER: EntityKind.USER,
    DetailKind.GROUP: EntityKind.GROUP,
    DetailKind.ROLE: EntityKind.ROLE,
}
_SCOPES: Final = {DetailKind.LOCAL_POLICY: PolicyScope.LOCAL, DetailKind.AWS_POLICY: PolicyScope.AWS}


class IamAuthorizationDetailService:
    """The whole of an account's IAM."""

    def __init__(self, database: Database, aws: AwsPolicies) -> None:
        self._database, self._aws = database, aws

    async def list(self, account_id: str, kinds: Collection[DetailKind], page: PageRequest) -> Page[Detail]:
        """A page of all that is of these kinds."""

        def query(connection: Connection) -> Page[Detail]:
            return _List(connection, self._aws, account_id).page(kinds, page)

        return await self._database.read(query)


class _List:
    """One reading of the list; the key of a page is the kind of its last item and the key of that within its kind."""

    def __init__(self, connection: Connection, aws: AwsPolicies, account_id: str) -> None:
        self._connection, self._aws, self._account_id = connection, aws, account_id

    def page(self, kinds: Collection[DetailKind], page: PageRequest) -> Page[Detail]:
        first, after = (page.after[0], page.after[1:]) if page.after else (None, ())
        found: list[Detail] = []
        for kind in _from(kinds, first):
            part = self._part(kind, PageRequest(page.size - len(found), after or None))
            found += part.items
            after = ()
            if part.next_key is not None:
                return Page(found, (kind.value, *part.next_key))
            if len(found) == page.size:
                return Page(found, (kind.value, _END) if kind is not _last(kinds) else None)
        return Page(found)

    def _part(self, kind: DetailKind, page: PageRequest) -> Page[Detail]:
        if page.after == (_END,):
            return Page([])
        if kind in _SCOPES:
            return self._policies(_SCOPES[kind], page)
        return self._holders(_HOLDERS[kind], page)

    def _policies(self, scope: PolicyScope, page: PageRequest) -> Page[Detail]:
        found = list_policies(self._connection, self._aws, self._account_id, PolicyFilter(scope), page)
        details = [PolicyDetail(view, versions_of(self._connection, self._aws, view)) for view in found.items]
        return Page([*details], found.next_key)

    def _holders(self, kind: EntityKind, page: PageRequest) -> Page[Detail]:
        after = str(page.after[0]) if page.after else ""
        query = EntityQuery(self._account_id, kind, after=after, limit=page.size + 1)
        roles: dict[str, Role] = {}
        if kind is EntityKind.ROLE:
            shown = shown_roles(self._connection, list_roles(self._connection, query))
            roles = {role.entity.id: role for role in shown}
            entities = [role.entity for role in shown]
        else:
            entities = list_entities(self._connection, query)
        details = self._details(entities[: page.size], roles)
        next_key: Key | None = name_key(entities[page.size - 1]) if len(entities) > page.size else None
        return Page([*details], next_key)

    def _details(self, entities: Sequence[Entity], roles: Mapping[str, Role]) -> list[HolderDetail]:
        ids, connection = [entity.id for entity in entities], self._connection
        inline, attached = defaultdict[str, list[tuple[str, str]]](list), defaultdict[str, list[PolicyArn]](list)
        groups, tags = defaultdict[str, list[str]](list), defaultdict[str, dict[str, str]](dict)
        for owner, name, document in list_inline_policies(connection, ids):
            inline[owner].append((name, document))
        for owner, arn in list_attachments(connection, ids):
            attached[owner].append(read_arn(arn))
        for owner, name in list_group_names(connection, ids):
            groups[owner].append(name)
        for owner, key, value in list_tags_of_many(connection, ids):
            tags[owner][key] = value
        profiles = self._profiles(roles)
        return [
            HolderDetail(
                one, inline[one.id], attached[one.id], groups[one.id], tags[one.id], roles.get(one.id), profiles[one.id]
            )
            for one in entities
        ]

    def _profiles(self, roles: Mapping[str, Role]) -> Mapping[str, Sequence[InstanceProfile]]:
        """The instance profiles of some roles, by unique id."""
        found = defaultdict[str, list[InstanceProfile]](list)
        for profile in profiles_of_roles(self._connection, roles.keys()) if roles else []:
            if profile.role is not None:
                found[profile.role.entity.id].append(profile)
        return found


_END: Final = ""
"""In the key of a page: nothing of the kind is left. No name is empty."""


def _from(kinds: Collection[DetailKind], first: str | int | None) -> list[DetailKind]:
    ordered = [kind for kind in DetailKind if kind in kinds]
    places = [place for place, kind in enumerate(ordered) if kind.value == first]
    return ordered[places[0] :] if places else ordered


def _last(kinds: Collection[DetailKind]) -> DetailKind:
    return [kind for kind in DetailKind if kind in kinds][-1]
