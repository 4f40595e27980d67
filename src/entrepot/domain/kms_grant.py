"""Grants: what somebody may do with one key, beside what its policy and his own policies say.

Spec: KMS developer guide, "Grants in AWS KMS", "Using grant constraints"; KMS API, CreateGrant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

Context = Mapping[str, str]

WITH_CONTEXT: Final = frozenset(
    {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"}
)
"""Operations with an encryption context, which constraints are about; others are free of them."""

OPERATIONS: Final = WITH_CONTEXT | {"CreateGrant", "DescribeKey", "RetireGrant"}
"""What a grant on a symmetric key can allow."""

CONTEXT_KEYS: Final = "kms:encryptioncontextkeys"
CONTEXT_KEY: Final = "kms:encryptioncontext:"
"""Condition keys, in lower case, from which the encryption context of a request is read."""


NEW_CONSTRAINTS: Final = "entrepot:grantconstraints"
"""Not one of AWS's: the constraints of a grant that is to be made, as text."""


Keys = Mapping[str, tuple[str, ...]]
"""The condition keys of a request, in lower case, with their values."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the encryption context must be; None: whatever it likes."""

    equals: Context | None = None
    subset: Context | None = None

    def hold(self, context: Context) -> bool:
        """Whether an encryption context is as it must be."""
        if self.equals is not None and dict(context) != dict(self.equals):
            return False
        return self.subset is None or self.subset.items() <= context.items()

    def are_kept_by(self, other: Constraints) -> bool:
        """Whether whatever `other` lets pass, these do too."""
        if self.equals is not None and other.equals != self.equals:
            return False
        wanted = (self.subset or {}).items()
        given = [context for context in (other.equals, other.subset) if context is not None]
        return not wanted or any(wanted <= context.items() for context in given)

    def to_text(self) -> str:
        """As JSON, the way they are kept: `{"equals": {…}, "subset": {…}}`, without those that are not there."""
        named = {"equals": self.equals, "subset": self.subset}
        return json.dumps({name: dict(context) for name, context in named.items() if context is not None})

    @classmethod
    def of(cls, given: Mapping[str, Context]) -> Constraints:
        """`GrantConstraints` of the API; empty ones are none, as Terraform sends them."""
        return cls(given.get("EncryptionContextEquals") or None, given.get("EncryptionContextSubset") or None)

    @classmethod
    def parse(cls, text: str) -> Constraints:
        """What `to_text` wrote."""
        named = json.loads(text)
        return cls(named.get("equals"), named.get("subset"))


@dataclass(frozen=True, slots=True)
class KmsGrant:
    """A grant as it is kept."""

    id: str
    """64 hex digits."""
    key_arn: str
    token: str
    name: str | None
    grantee: str
    """ARN of a principal, or the name of a service."""
    retiring: str | None
    issuing_account: str
    """ARN of the root of the account that made it."""
    operations: tuple[str, ...]
    created_at: datetime
    constraints: Constraints = field(default_factory=Constraints)

    def allows(self, action: str, keys: Keys) -> bool:
        """Whether it allows its grantee an action, such as `kms:decrypt`, in a request with these condition keys.

        RetireGrant is not among them: that is for this very grant, and says nothing of others on the key.
        """
        name = next((one for one in self.operations if f"kms:{one.lower()}" == action.lower()), None)
        if name == "RetireGrant":
            return False
        if name == "CreateGrant":
            return self._covers(keys)
        return name is not None and (name not in WITH_CONTEXT or self.constraints.hold(_context_of(keys)))

    def _covers(self, keys: Keys) -> bool:
        """Whether a new grant allows nothing that this one does not: who was granted hands on no more than he has."""
        (constraints,) = keys.get(NEW_CONSTRAINTS) or ("{}",)
        wanted = set(keys.get("kms:grantoperations") or ())
        return wanted <= set(self.operations) and self.constraints.are_kept_by(Constraints.parse(constraints))


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """A grant with what is beside it."""

    grant: KmsGrant
    key_id: str
    account_id: str
    region: str
    principals: Mapping[str, str]
    """Each user's or role's ARN in it, its unique id."""


def _context_of(keys: Keys) -> dict[str, str]:
    """The encryption context of a request, as its condition keys tell it.

    Keys that differ only by case have their values in one condition key: such a context is held to be none of those
    that a constraint asks for.
    """
    found = {name: keys.get(f"{CONTEXT_KEY}{name.lower()}") or () for name in keys.get(CONTEXT_KEYS) or ()}
    return {name: values[0] if len(values) == 1 else "\0".join(values) for name, values in found.items()}
