"""References: the image tag or digest that names an image in a repository.

Spec: OCI Distribution 1.1, "Pulling manifests".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from entrepot.domain.digest import Digest
from entrepot.domain.error import TagInvalid

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Tag:
    """An image tag: 1 to 128 characters of letters, digits, `_`, `.` and `-`."""

    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an image tag.

        Raises:
            TagInvalid: empty, too long, or a character that tags cannot have.
        """
        if not _TAG.fullmatch(text):
            raise TagInvalid(text)
        return cls(text)

    def __str__(self) -> str:
        return self.name


Reference = Tag | Digest


def parse_reference(text: str) -> Reference:
    """Read what stands behind `/manifests/`: a digest if it has a colon, else an image tag.

    Raises:
        DigestInvalid, TagInvalid: it is neither.
    """
    return Digest.parse(text) if ":" in text else Tag.parse(text)


@dataclass(frozen=True, slots=True)
class ImageId:
    """An image as a caller names it: by digest, by tag, or by both."""

    digest: Digest | None = None
    tag: Tag | None = None
