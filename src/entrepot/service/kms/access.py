"""Access to keys: policy, tags, aliases and grants of a KMS key, as decisions take them.

Spec: KMS developer guide, "Determining access to AWS KMS keys"; docs/design/kms.md.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection

from entrepot.domain.kms import KEY_CONDITIONS, KeyName, KmsKey
from entrepot.domain.kms_grant import Keys
from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import Grant
from entrepot.domain.principal import Caller
from entrepot.domain.registry import Registry
from entrepot.service.compiled_policy import compile_policy, saved_set
from entrepot.service.epoch_cache import EpochCache
from entrepot.service.kms.grant import find_granted
from entrepot.service.kms.policy import default_policy
from entrepot.service.resource_access import ResourceAccess, tags_in_lower_case
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.kms_alias import list_names_of_key
from entrepot.store.metadata.kms_key import find_key, find_policy
from entrepot.store.metadata.kms_tag import list_tags


class KeyAccess:
    """What keys bring to decisions, for one worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept = EpochCache[ResourceAccess]()

    async def find(self, name: KeyName) -> ResourceAccess:
        """What belongs to a key; of one that does not exist, the account's identity policies decide."""
        key = await self._database.lookup(lambda connection: find_key(connection, name))
        if key is None:
            policy = _delegation(name.place)
            return ResourceAccess(name.place.account_id, policy, unknown=policy)
        found = self._kept.get(key.id, key.epoch)
        if found is None:
            found = await self._database.read(lambda connection: _read(connection, key))
            self._kept.keep(key.id, key.epoch, found)
        return found

    async def granted(self, caller: Caller, key_id: str, action: str, keys: Keys) -> Grant:
        """What grants on a key allow a caller in a request with these condition keys."""
        found = await self._database.lookup(lambda connection: find_granted(connection, caller, key_id))
        said = Grant.NONE
        for meets, grant in found:
            if grant.allows(action, keys):
                said |= meets
        return said

    @staticmethod
    def elsewhere(place: Registry) -> ResourceAccess:
        """What belongs to a key that another server has: the identity policies of an account here decide."""
        return ResourceAccess(place.account_id, _delegation(place))


def _read(connection: Connection, key: KmsKey) -> ResourceAccess:
    saved = find_policy(connection, key.id)
    aliases = tuple(list_names_of_key(connection, key.id))
    return ResourceAccess(
        key.place.account_id,
        PolicySet() if saved is None else saved_set("key policy", saved, Kind.KEY),  # none: deleted just now
        tags=tags_in_lower_case(list_tags(connection, key.id)),
        arn=key.arn,
        keys=KEY_CONDITIONS | ({"kms:resourcealiases": aliases} if aliases else {}),
        unknown=_delegation(key.place),
    )


@lru_cache(maxsize=256)
def _delegation(place: Registry) -> PolicySet:
    return PolicySet([("key policy", compile_policy(default_policy(place), Kind.KEY))])
