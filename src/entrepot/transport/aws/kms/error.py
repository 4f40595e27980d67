"""KMS's words: code, status and message of its own failures.

Spec: KMS API, "Errors" of each operation.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain import kms_error as kms
from entrepot.domain.error import RegistryError
from entrepot.transport.aws.error_row import Row

ROWS: Final[dict[type[RegistryError], Row]] = {
    kms.KeyStoreNotFound: Row("CustomKeyStoreNotFoundException", lambda e: f"Custom key store {e.id} is not found."),
    kms.KmsUnsupported: Row("UnsupportedOperationException", lambda e: e.detail),
    kms.KmsInvalid: Row("ValidationException", lambda e: e.detail),
}
"""One row for every error of `domain/kms_error.py`."""
