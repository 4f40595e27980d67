"""Live hashes: their own copies, bounded, and only for the offset that they are of."""

from __future__ import annotations

from entrepot.domain.digest import hasher
from entrepot.service.upload.hashes import LiveHashes


def test_resume_gives_a_copy() -> None:
    hashes = LiveHashes()
    hashes.remember("one", 3, hasher("sha256", b"abc"))
    lost = hashes.resume("one", 3, "sha256")
    assert lost is not None
    lost.update(b"never acknowledged")
    state = hashes.resume("one", 3, "sha256")
    assert state is not None
    assert state.digest() == hasher("sha256", b"abc").digest()


def test_only_for_its_offset_and_algorithm() -> None:
    hashes = LiveHashes()
    hashes.remember("one", 3, hasher("sha256", b"abc"))
    assert hashes.resume("one", 2, "sha256") is None
    assert hashes.resume("one", 3, "sha512") is None
    assert hashes.resume("two", 3, "sha256") is None
    assert hashes.knows("one", 3)
    assert not hashes.knows("one", 2)
    start = hashes.resume("two", 0, "sha512")
    assert start is not None
    assert start.name == "sha512"


def test_checked_without_a_hash() -> None:
    hashes = LiveHashes()
    hashes.remember("one", 3, None)
    assert hashes.knows("one", 3)
    assert hashes.resume("one", 3, "sha256") is None


def test_bounded_and_oldest_first() -> None:
    hashes = LiveHashes(uploads_max=2)
    for name in ("one", "two"):
        hashes.remember(name, 1, None)
    hashes.remember("one", 2, None)
    hashes.remember("three", 1, None)
    assert hashes.knows("one", 2)
    assert not hashes.knows("two", 1)
    hashes.forget("one")
    hashes.forget("one")
    assert not hashes.knows("one", 2)
