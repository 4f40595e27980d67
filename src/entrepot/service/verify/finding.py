"""Findings: what verification says, and which invariants it speaks of. `docs/design/invariants.md` explains each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Key = int | str
"""What names a row within its table: its id, or another text where there is none."""

INVARIANTS: Mapping[str, str] = {
    "database-whole": "The database's own file or pages are sound.",
    "row-dangling": "What a row refers to is there.",
    "tag-target": "A tag names an image of its own repository, and its lower-case name is its name's.",
    "reference-owner": "A reference belongs to the repository of its image; a child is there and older than its index.",
    "link-domain": "A repository holds only blobs of its own encryption domain.",
    "link-key": "A repository under a KMS key, and no other, has the data key of each blob that it holds.",
    "doomed-dead": "No object that a blob or an upload counts on is to be removed.",
    "storage-key-once": "A storage key belongs to one blob or one upload.",
    "garbage-known": "What nothing keeps is marked for the collector, which looks at nothing else.",
    "key-opens": "Every sealed key opens with the master key.",
    "image-digest": "The bytes of a manifest have its digest and size.",
    "image-references": "The references of an image are what its manifest says, in order, each with its row.",
    "image-facts": "What is computed from a manifest (subject, types, sizes) is what its row says.",
    "blob-bytes": "A blob's object is in its store, as long as its row says, and its key opens.",
    "blob-digest": "The bytes of a blob have its digest.",
    "upload-bytes": "What an upload has acknowledged is staged. A loss of power may take it: the client begins again.",
    "object-named": "Every object of the store is named by a row.",
}
"""Name of each invariant, and what always holds."""

_NOTICES = frozenset({"upload-bytes", "garbage-known"})
"""What may be broken without damage: a client is told and begins again, or space is not freed."""


@dataclass(frozen=True, slots=True)
class PushAgain:
    """An image that cannot be pulled whole: pushing it again brings it back."""

    account_id: str
    region: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]
    """Digests of the bytes that are lost; none when only the manifest or a part of an index is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that does not hold for one row, or for one object that has none."""

    invariant: str
    table: str
    key: Key
    detail: str
    push_again: tuple[PushAgain, ...] = ()
    cured: str = ""
    """What `--repair` did about it."""

    @property
    def is_damage(self) -> bool:
        """Whether something is lost or wrong, rather than merely worth telling."""
        return self.invariant not in _NOTICES

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"is_damage": self.is_damage}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """What `to_json` made."""
        images = tuple(
            PushAgain(**(one | {"tags": tuple(one["tags"]), "layers": tuple(one["layers"])}))
            for one in value["push_again"]
        )
        return cls(value["invariant"], value["table"], value["key"], value["detail"], images, value["cured"])
