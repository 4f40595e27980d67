"""Keys of KMS: their states, ids, ARNs and the identifiers by which requests name them.

Spec: KMS developer guide, "Key identifiers (KeyId)", "Key states of AWS KMS keys"; KMS API, KeyMetadata.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from entrepot.domain.kms_error import AliasReserved, ArnOfOtherRegion, KeyIdInvalid, KmsArnInvalid, KmsInvalid
from entrepot.domain.registry import Registry

ALIAS_PREFIX: Final = "alias/"
AWS_ALIAS_PREFIX: Final = "alias/aws/"
"""Of the aliases of keys that belong to AWS; customers cannot make, move or delete those."""
ECR_ALIAS: Final = "alias/aws/ecr"

_KEY_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32}")
_ARN: Final = re.compile(r"arn:([a-z-]+):kms:([a-z0-9-]+):([0-9]{12}):(key/|alias/)(.+)", re.DOTALL)
_ANY_ARN: Final = "arn:"


KEY_CONDITIONS: Final = {
    "kms:customermasterkeyspec": ("SYMMETRIC_DEFAULT",),
    "kms:keyorigin": ("AWS_KMS",),
    "kms:keyspec": ("SYMMETRIC_DEFAULT",),
    "kms:keyusage": ("ENCRYPT_DECRYPT",),
    "kms:multiregion": ("false",),
}
"""Condition keys that all keys have alike, in lower case, with their values."""


class KeyState(StrEnum):
    """What can be done with a key; the names are the API's."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


class KeyManager(StrEnum):
    """Who decides about a key."""

    CUSTOMER = "CUSTOMER"
    AWS = "AWS"
    """Made on first use for a service; the customer can look at it and use it through the service."""


class VersionOrigin(StrEnum):
    """How a version of a key's material came about."""

    CREATED = "CREATED"
    AUTOMATIC = "AUTOMATIC"
    ON_DEMAND = "ON_DEMAND"


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key, as of one read of the database."""

    id: str
    place: Registry
    """Account and region."""
    description: str
    state: KeyState
    manager: KeyManager
    version: int
    """Number of the material that encrypts now."""
    material_id: str
    """Of that material: 64 hex digits."""
    created_at: datetime
    deletes_at: datetime | None = None
    rotation_days: int | None = None
    """None: it does not rotate by itself."""
    rotates_at: datetime | None = None
    epoch: int = field(default=0, compare=False)
    """The access epoch of its account, under which what is known of the key may be kept."""

    @property
    def arn(self) -> str:
        """Such as `arn:aws:kms:us-east-1:123456789012:key/1234abcd-…`."""
        return key_arn(self.place, self.id)

    @property
    def is_enabled(self) -> bool:
        """Whether it encrypts and decrypts."""
        return self.state is KeyState.ENABLED


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A version of a key's material, without that."""

    number: int
    """Counted from 1."""
    material_id: str
    """64 hex digits."""
    origin: VersionOrigin
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KmsAlias:
    """A name for a key, which can be moved to another one."""

    place: Registry
    name: str
    """With its prefix `alias/`."""
    key_id: str
    created_at: datetime
    updated_at: datetime

    @property
    def arn(self) -> str:
        """Such as `arn:aws:kms:us-east-1:123456789012:alias/build`."""
        return alias_arn(self.place, self.name)


@dataclass(frozen=True, slots=True)
class KeyName:
    """What a request calls a key: by its id, or by an alias."""

    place: Registry
    key_id: str | None
    alias: str | None = None
    """With its prefix; one of both is there."""

    @property
    def arn(self) -> str:
        """Of the key or of the alias, whether there is such a one or not."""
        return key_arn(self.place, self.key_id) if self.key_id else alias_arn(self.place, self.alias or "")


def key_arn(place: Registry, key_id: str) -> str:
    """The ARN of a key, existing or not."""
    return f"arn:{place.partition}:kms:{place.region}:{place.account_id}:key/{key_id}"


def alias_arn(place: Registry, name: str) -> str:
    """The ARN of an alias, whose name has its prefix, existing or not."""
    return f"arn:{place.partition}:kms:{place.region}:{place.account_id}:{name}"


def parse_key_name(text: str, own: Registry) -> KeyName:
    """Read a key id, a key's ARN, an alias or an alias's ARN; ids and aliases are those of `own`.

    Raises:
        KmsArnInvalid: an ARN of something else.
        ArnOfOtherRegion: keys are used in their own region only.
        KeyIdInvalid: neither an alias nor of the form of a key's id.
    """
    if text.startswith(_ANY_ARN):
        return _parse_arn(text, own)
    if text.startswith(ALIAS_PREFIX):
        return KeyName(own, None, text)
    return KeyName(own, _key_id(text))


def parse_key_id(text: str, own: Registry) -> KeyName:
    """Read a key id or a key's ARN, where no alias can stand.

    Raises:
        KmsArnInvalid, ArnOfOtherRegion, KeyIdInvalid
    """
    name = parse_key_name(text, own)
    if name.key_id is None:
        raise KeyIdInvalid(text)
    return name


def parse_target_key(text: str, own: Registry) -> KeyName:
    """Read what an alias is to name: the id or ARN of a key of the same account.

    Raises:
        KmsInvalid: an alias.
        KmsArnInvalid, ArnOfOtherRegion, KeyIdInvalid
    """
    name = parse_key_name(text, own)
    if name.key_id is None:
        raise KmsInvalid("Aliases must refer to keys. Not aliases")
    return name


def check_alias_name(name: str) -> None:
    """Check that customers can have an alias of that name.

    Raises:
        KmsInvalid: not the name of an alias.
        AliasReserved: one of AWS's.
    """
    if not name.startswith(ALIAS_PREFIX):
        raise KmsInvalid(
            f'Alias must start with the prefix "{ALIAS_PREFIX}". '
            "Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith(AWS_ALIAS_PREFIX):
        raise AliasReserved(name)
    if ":" in name or name == ALIAS_PREFIX:
        raise KmsInvalid(f"{name} contains invalid characters for an alias")


def key_name_of(arn: str) -> KeyName | None:
    """The key or alias that an ARN of ours names, existing or not; None for any other ARN."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    place = Registry(found[3], found[2])
    return KeyName(place, None, found[4] + found[5]) if found[4] == ALIAS_PREFIX else KeyName(place, found[5])


def _parse_arn(text: str, own: Registry) -> KeyName:
    found, name = _ARN.fullmatch(text), key_name_of(text)
    if found is None or name is None or found[1] != name.place.partition:
        raise KmsArnInvalid(text)
    if name.place.region != own.region:
        raise ArnOfOtherRegion(name.place.region)
    if name.key_id is not None:
        _key_id(name.key_id)
    return name


def _key_id(text: str) -> str:
    if not _KEY_ID.fullmatch(text):
        raise KeyIdInvalid(text)
    return text
