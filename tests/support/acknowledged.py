"""What a client was told, and so what must stand after a crash; what had no answer may have happened or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Fact = Mapping[str, str]
"""A deed that began (`what`: put, delete, untag, upload; with its tag or digest), or its end: done, refused."""


@dataclass
class State:
    """What a client's tags and images are, as far as it was told."""

    tags: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)

    def after(self, deed: Fact) -> State:
        """The state once a deed was done."""
        tags, images, digest = dict(self.tags), set(self.images), deed.get("digest", "")
        if deed["what"] == "put":
            tags[deed["tag"]] = digest
            images.add(digest)
        elif deed["what"] == "delete":
            tags = {tag: on for tag, on in tags.items() if on != digest}
            images.discard(digest)
        elif deed["what"] == "untag":
            gone = tags.pop(deed["tag"], "")
            if gone not in tags.values():
                images.discard(gone)
        return State(tags, sorted(images))


def replay(before: State, facts: Iterable[Fact]) -> tuple[list[State], list[str]]:
    """The states that are allowed after these facts, and the digests of blobs that were acknowledged."""
    state, blobs, under_way = before, [], None
    for fact in facts:
        if fact["what"] == "done":
            assert under_way is not None
            state = state.after(under_way)
            blobs += [under_way["digest"]] if under_way["what"] == "upload" else []
        under_way = None if fact["what"] in ("done", "refused") else fact
    return ([state, state.after(under_way)] if under_way else [state]), blobs
