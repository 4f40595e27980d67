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
