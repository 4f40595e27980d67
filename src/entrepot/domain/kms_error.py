"""What KMS refuses: errors of its own beside those of `error.py`.

Spec: KMS API, errors of each operation. `transport/aws/kms/error.py` has code, status and words of each.
"""

from __future__ import annotations

from entrepot.domain.error import RegistryError


class KmsError(RegistryError):
    """A refusal of KMS; the data plane never meets one."""


class KeyStoreNotFound(KmsError):
    """No custom key store has that id: there are none here."""

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.id = store_id


class KmsUnsupported(KmsError):
    """The request is valid, but asks for what this server does not have; `detail` says what."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class KmsInvalid(KmsError):
    """A rule that the model of KMS does not have is broken; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class KeyNotFound(KmsError):
    """No key has that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class AliasNotFound(KmsError):
    """No alias has that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class KeyIdInvalid(KmsError):
    """A key id that no key can have; `text` as it came."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class KmsArnInvalid(KmsError):
    """An ARN, or what looks like one, that names neither a key nor an alias."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ArnOfOtherRegion(KmsError):
    """An ARN of a key or alias in another region than the request's."""

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.region = region


class KeyDisabled(KmsError):
    """The key is switched off."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class KeyStateInvalid(KmsError):
    """The key is not in a state for that; `state` in words, such as `pending deletion`."""

    def __init__(self, arn: str, state: str) -> None:
        super().__init__(arn, state)
        self.arn, self.state = arn, state


class AliasTaken(KmsError):
    """Another alias of the account has that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class AliasReserved(KmsError):
    """Aliases that begin with `alias/aws/` are AWS's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class KmsQuotaExceeded(KmsError):
    """A count or a length of KMS is used up; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class KeyPolicyMalformed(KmsError):
    """No policy of a key, or one that names somebody who does not exist; `sentence` is AWS's own."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class KeyPolicyLocksOut(KmsError):
    """Who sets the policy could not set another one."""


class KeyPolicyNotFound(KmsError):
    """A key's policy is called `default`, and it has no other."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class KmsTagInvalid(KmsError):
    """Tags that a key cannot have; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MarkerInvalid(KmsError):
    """A marker that is not ours, or belongs to another list."""


class CiphertextInvalid(KmsError):
    """A ciphertext that is damaged, none of ours, or made with another key or encryption context; nobody is told."""


class CiphertextKeyUnknown(KmsError):
    """The key that a ciphertext says that it was made with is not there."""


class KeyIncorrect(KmsError):
    """The ciphertext was made with another key than the one that is named."""


class KeyUsageInvalid(KmsError):
    """An algorithm that is none of the key's; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class DryRun(KmsError):
    """All would have gone well, and nothing was done: the caller asked for just that."""


class GrantNotFound(KmsError):
    """The key has no grant of that id."""

    def __init__(self, grant_id: str) -> None:
        super().__init__(grant_id)
        self.id = grant_id


class GrantTokenInvalid(KmsError):
    """A grant token that is none of ours."""


class GrantPrincipalInvalid(KmsError):
    """An ARN that is no principal's, or a user's or role's that does not exist."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn
