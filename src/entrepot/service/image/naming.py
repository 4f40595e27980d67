"""Which images the ids of a batch name, and why some name none.

Spec: ECR API, ImageIdentifier and ImageFailureCode.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.digest import Digest
from entrepot.domain.image import FailureCode
from entrepot.domain.reference import ImageId, Tag
from entrepot.store.metadata.image import find_image_ids
from entrepot.store.metadata.tag import find_targets


@dataclass(frozen=True, slots=True)
class Names:
    """The row ids behind the digests and tags of one batch."""

    by_digest: dict[Digest, int]
    by_tag: dict[Tag, int]

    def find(self, image_id: ImageId) -> int | FailureCode:
        """The row id that `image_id` names; digest and tag, if both are given, must name the same image."""
        if image_id.tag is None:
            if image_id.digest is None:
                return FailureCode.MISSING_DIGEST_AND_TAG
            return self.by_digest.get(image_id.digest, FailureCode.IMAGE_NOT_FOUND)
        target = self.by_tag.get(image_id.tag, FailureCode.IMAGE_NOT_FOUND)
        if isinstance(target, int) and image_id.digest and self.by_digest.get(image_id.digest) != target:
            return FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST
        return target


def read_names(connection: Connection, repository_id: int, image_ids: Iterable[ImageId]) -> Names:
    """Look up every digest and tag of a batch in two statements."""
    wanted = list(image_ids)
    digests = {image_id.digest for image_id in wanted if image_id.digest}
    tags = {image_id.tag for image_id in wanted if image_id.tag}
    return Names(
        find_image_ids(connection, repository_id, digests) if digests else {},
        find_targets(connection, repository_id, tags) if tags else {},
    )
