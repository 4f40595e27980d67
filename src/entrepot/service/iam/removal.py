"""Removal: what must be gone before a user, group or role can be deleted, in the order in which IAM asks for it.

Spec: IAM API, DeleteUser, DeleteGroup, DeleteRole: DeleteConflict.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam import Entity
from entrepot.domain.iam_error import DeleteConflict
from entrepot.store.metadata.iam_attachment import list_attached_arns
from entrepot.store.metadata.iam_entity import delete_entity
from entrepot.store.metadata.iam_inline_policy import list_inline_policies
from entrepot.store.metadata.iam_tag import delete_all_tags


def check_without_policies(connection: Connection, entity: Entity) -> None:
    """Check that no policy hangs on a user, group or role.

    Raises:
        DeleteConflict: attached or inline policies are there.
    """
    if list_attached_arns(connection, [entity.id]):
        raise DeleteConflict("detach all policies first")
    if list_inline_policies(connection, [entity.id]):
        raise DeleteConflict("delete policies first")


def remove_entity(connection: Connection, entity: Entity) -> None:
    """Delete an entity with its tags; nothing else hangs on it."""
    delete_all_tags(connection, entity.id)
    delete_entity(connection, entity.id)
