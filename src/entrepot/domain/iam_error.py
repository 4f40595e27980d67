"""What IAM and STS refuse: errors of their own beside those of `error.py`, typed fields and no prose for the wire.

Spec: IAM API, errors of each operation. `transport/aws/iam/error.py` has code, status and words of each.
"""

from __future__ import annotations

from enum import Enum

from entrepot.domain.error import RegistryError


class IamError(RegistryError):
    """A refusal of IAM or STS; the data plane never meets one."""


class EntityNotFound(IamError):
    """No user, group, role, policy, version, key or tag of that name; `kind` says what was looked for."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name


class EntityAlreadyExists(IamError):
    """The name is taken, in this or another case."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name


class DeleteConflict(IamError):
    """Something hangs on it still; `remedy` is what must be done first, such as `detach all policies first`."""

    def __init__(self, remedy: str) -> None:
        super().__init__(remedy)
        self.remedy = remedy


class PolicyBond(Enum):
    """What keeps a managed policy or one of its versions from being deleted."""

    ATTACHED = "attached"
    VERSIONS = "versions"
    DEFAULT = "default"


class PolicyNotDeletable(IamError):
    """A policy that somebody has or that has other versions, or a version that is the default."""

    def __init__(self, bond: PolicyBond) -> None:
        super().__init__(bond)
        self.bond = bond


class QuotaExceeded(IamError):
    """A count of IAM is used up: `quota` as AWS names it, such as `AccessKeysPerUser`, and its value."""

    def __init__(self, quota: str, limit: int) -> None:
        super().__init__(quota, limit)
        self.quota, self.limit = quota, limit


class UnknownAccessKey(IamError):
    """The account has no such access key; that another one might have it is nobody's business."""

    def __init__(self, principal_arn: str, access_key_id: str) -> None:
        super().__init__(principal_arn, access_key_id)
        self.principal_arn, self.access_key_id = principal_arn, access_key_id


class InlineTooLong(IamError):
    """All inline policies of a user, group or role together would have more than `limit` characters."""

    def __init__(self, kind: str, name: str, limit: int) -> None:
        super().__init__(kind, name, limit)
        self.kind, self.name, self.limit = kind, name, limit


class MalformedPolicy(IamError):
    """A policy document that IAM cannot take; `sentence` is IAM's own."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class InvalidInput(IamError):
    """A value that its operation cannot take; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidValue(IamError):
    """A value that cannot be what its parameter names."""

    def __init__(self, parameter: str, value: str) -> None:
        super().__init__(parameter, value)
        self.parameter, self.value = parameter, value


class ValidationFailed(IamError):
    """A value that breaks a rule of its own, whatever is there; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotModifiable(IamError):
    """Something that belongs to AWS and cannot be changed; `detail` names it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NeverAllowed(IamError):
    """What no policy allows, such as root assuming a role; `sentence` is AWS's own."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SourceNotAccepted(IamError):
    """A service asks for a source that its credential does not vouch for, or for none; `detail` says which."""

    def __init__(self, service: str, detail: str) -> None:
        super().__init__(service, detail)
        self.service, self.detail = service, detail


class SessionNotAccepted(IamError):
    """A session of a user calls what takes only his own key, as no second factor was shown."""


class InvalidIdentityToken(IamError):
    """A token of an issuer that is not believed; `detail` says why, `is_forged` whether its issuer did not sign it."""

    def __init__(self, detail: str, *, is_forged: bool = True) -> None:
        super().__init__(detail)
        self.detail, self.is_forged = detail, is_forged


class ExpiredIdentityToken(IamError):
    """A token of an issuer that was right once."""


class IssuerNotReached(IamError):
    """The keys of an issuer cannot be had; `detail` says why, to the operator and not to who sent the token."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidSessionTag(IamError):
    """Tags that a session cannot have; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PackedPolicyTooLarge(IamError):
    """Session policies and tags take more room than there is; `percent` of it."""

    def __init__(self, percent: int) -> None:
        super().__init__(percent)
        self.percent = percent
