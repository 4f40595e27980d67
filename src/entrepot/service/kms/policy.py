"""Policies of keys: who may use a key and who may change it. Every key has one, called `default`.

Spec: KMS API, GetKeyPolicy, PutKeyPolicy; KMS developer guide, "Key policies in AWS KMS", "Default key policy".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.kms import KeyName, KmsKey
from entrepot.domain.kms_error import KeyPolicyLocksOut, KeyPolicyMalformed, KmsQuotaExceeded
from entrepot.domain.kms_limit import KEY_POLICY_LENGTH_MAX
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.saved import PrincipalNotFound, SavedPolicy, with_unique_ids
from entrepot.domain.policy.statement import Policy
from entrepot.domain.registry import Registry
from entrepot.service.kms.key import begin_change, get_key
from entrepot.service.saved_policy import find_principals, show
from entrepot.store.metadata import kms_key as rows
from entrepot.store.metadata.base import Database

MaySetAgain = Callable[[PolicySet], Awaitable[bool]]
"""Whether the caller could set another policy if the key had this one."""

_DEFAULT: Final = """{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:%(partition)s:iam::%(account)s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"""

_OF_ECR: Final = """{
  "Version" : "2012-10-17",
  "Id" : "auto-ecr-1",
  "Statement" : [ {
    "Sid" : "Allow access through ECR for all principals in the account that are authorized to use ECR",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", \
"kms:DescribeKey", "kms:RetireGrant" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "%(account)s",
        "kms:ViaService" : "ecr.%(region)s.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:%(partition)s:iam::%(account)s:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}"""


def default_policy(place: Registry) -> str:
    """The policy of a key that is made without one: the account's identity policies decide."""
    return _filled(_DEFAULT, place)


def ecr_key_policy(place: Registry) -> str:
    """The policy of AWS's key for ECR: used through ECR only, and looked at by the account."""
    return _filled(_OF_ECR, place)


class KmsPolicyService:
    """The one policy that a key has; texts are shown with the names of today."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: KmsKey) -> str:
        """The text of a key's policy.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
        """

        def query(connection: Connection) -> str:
            saved = rows.find_policy(connection, key.id)
            if saved is None:
                get_key(connection, KeyName(key.place, key.id))
                raise AssertionError(key.id)  # every key has a policy
            return show(connection, saved.document, saved.principals)

        return await self._database.read(query)

    async def put(self, key: KmsKey, text: str, may_set_again: MaySetAgain | None) -> None:
        """Replace the policy; `may_set_again` is asked before.

        Raises:
            KeyPolicyMalformed, KmsQuotaExceeded: not a policy of a key.
            KeyPolicyLocksOut: the caller could not set another one.
            KeyNotFound: the key was deleted in the meantime.
        """
        saved = await self.prepare(text, may_set_again)

        def change(connection: Connection) -> None:
            begin_change(connection, key.place.account_id)
            get_key(connection, KeyName(key.place, key.id))
            rows.update_policy(connection, key.id, saved)

        await self._database.write(change)

    async def prepare(self, text: str, may_set_again: MaySetAgain | None) -> SavedPolicy:
        """A policy as it is kept, once it is known that it may be set.

        Raises:
            KeyPolicyMalformed, KmsQuotaExceeded, KeyPolicyLocksOut
        """
        saved, compiled = await self._database.read(lambda connection: to_be_saved(connection, text))
        if may_set_again is not None and not await may_set_again(compiled):
            raise KeyPolicyLocksOut
        return saved


def to_be_saved(connection: Connection, text: str) -> tuple[SavedPolicy, PolicySet]:
    """Check the policy of a key; as it is kept, and as it is decided with.

    Raises:
        KeyPolicyMalformed: not a policy of a key, or it names a user or role that does not exist.
        KmsQuotaExceeded: it is too long.
    """
    try:
        policy: Policy = parse_policy(text, Kind.KEY)
        saved = SavedPolicy(text, find_principals(connection, policy))
    except PrincipalNotFound as error:
        sentence = "Policy contains a statement with one or more invalid principals."
        raise KeyPolicyMalformed(sentence) from error
    except PolicyInvalid as error:
        if error.fault is Fault.TOO_LONG:
            raise KmsQuotaExceeded(f"The key policy has more than {KEY_POLICY_LENGTH_MAX} characters.") from error
        raise KeyPolicyMalformed(str(error)) from error
    return saved, PolicySet([("key policy", with_unique_ids(policy, saved.principals))])


def _filled(template: str, place: Registry) -> str:
    return template % {"partition": place.partition, "account": place.account_id, "region": place.region}
