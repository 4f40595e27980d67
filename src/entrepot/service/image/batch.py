"""Batches of images by id: which are served, and why the others are not.

Spec: ECR API, BatchGetImage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from entrepot.domain.error import LimitExceeded
from entrepot.domain.image import FailureCode, ImageStatus
from entrepot.domain.limit import BATCH_GET_BYTES_MAX
from entrepot.domain.media_type import accepts
from entrepot.domain.reference import ImageId
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.sealed_key import SealedKey
from entrepot.domain.view import ImageRow
from entrepot.service.image.naming import read_names
from entrepot.store.metadata.image import find_images
from entrepot.store.metadata.repository_key import get_repository_key

Judged = dict[ImageId, ImageRow | FailureCode]


def judge_batch(
    connection: Connection, registry: Registry, name: RepositoryName, image_ids: Sequence[ImageId], accepted: list[str]
) -> tuple[SealedKey | None, Judged]:
    """What opens the repository's key, if it has one, and what becomes of every id, each once.

    Media types that are not accepted count as not found.

    Raises:
        RepositoryNotFound: no such repository.
        LimitExceeded: the manifests are more than 64 MiB together.
    """
    key = get_repository_key(connection, registry, name, is_locked=False)
    names = read_names(connection, key.id, image_ids)
    row_ids = {image_id: names.find(image_id) for image_id in image_ids}
    wanted = {row_id for row_id in row_ids.values() if isinstance(row_id, int)}
    rows = find_images(connection, registry, name, wanted) if wanted else {}
    judged: Judged = {}
    for image_id, row_id in row_ids.items():
        judged[image_id] = row_id if isinstance(row_id, FailureCode) else _judge(rows.get(row_id), accepted)
    _check_size(row for row in judged.values() if isinstance(row, ImageRow))
    return key.seal, judged


def _judge(row: ImageRow | None, accepted: list[str]) -> ImageRow | FailureCode:
    if row is None or not accepts(accepted, row.media_type):
        return FailureCode.IMAGE_NOT_FOUND
    if row.status is not ImageStatus.ACTIVE:
        return FailureCode.IMAGE_INACCESSIBLE
    return row


def _check_size(rows: Iterable[ImageRow]) -> None:
    if sum(row.size_bytes for row in rows) > BATCH_GET_BYTES_MAX:
        raise LimitExceeded(f"The manifests asked for have more than {BATCH_GET_BYTES_MAX} bytes together")
