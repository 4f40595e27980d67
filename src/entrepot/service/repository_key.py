"""Keys of repositories that a KMS key protects: opened, kept open for as long as that is right, and made.

What an account's own KMS key opened is kept under the access epoch of that account, which the one read of a request
brings along: whoever disables the key, or takes the grant away, raises it, so that the next request asks again. What a
KMS elsewhere opened is kept there, for a minute at most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from entrepot.domain.key_provider import DataKey, KeyProviderAway, KeyRefused
from entrepot.domain.sealed_key import SealClosed, SealedKey

if TYPE_CHECKING:
    from entrepot.domain.repository import Repository

T = TypeVar("T")

KEPT_MAX: Final = 20_000
"""Keys that a worker keeps open."""

ATTEMPTS: Final = 5
"""How often a transaction may find that it needs another key."""

NO_REMOTE: Final = "no KMS elsewhere is set up: kms_endpoint"


class NoKeys:
    """Where there are no KMS keys."""

    async def unseal(self, sealed: SealedKey) -> bytes:
        """Refuse.

        Raises:
            KeyRefused
        """
        raise KeyRefused(sealed.key_arn, "NotFoundException", f"Key '{sealed.key_arn}' does not exist")


class KeyOpener(Protocol):
    """What opens sealed keys."""

    async def unseal(self, sealed: SealedKey) -> bytes:
        """The key.

        Raises:
            KeyRefused, KeyProviderAway
        """


class RemoteKeys(Protocol):
    """A KMS elsewhere; it keeps itself what it opened."""

    async def generate(self, arn: str, context: Mapping[str, str]) -> DataKey:
        """Make a data key."""

    async def unwrap(self, arn: str, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Open a data key."""

    def find(self, arn: str, wrapped: bytes, context: Mapping[str, str]) -> bytes | None:
        """A data key that is open."""


class RepositoryKeys:
    """The keys of all repositories, for one worker."""

    def __init__(self, own: KeyOpener | None = None, remote: RemoteKeys | None = None) -> None:
        self._own, self._remote = own or NoKeys(), remote
        self._kept: OrderedDict[int, tuple[int | None, bytes]] = OrderedDict()

    def find(self, seal: SealedKey) -> bytes | None:
        """The key, if it is open here and may still be used."""
        if seal.account_id is None:
            return self._remote.find(seal.key_arn, seal.sealed, seal.context) if self._remote else None
        kept = self._kept.get(seal.repository_id)
        return kept[1] if kept is not None and kept[0] == seal.epoch else None

    async def open(self, seal: SealedKey) -> bytes:
        """The key.

        Raises:
            KeyRefused: the KMS key is disabled, about to be deleted or gone, or the grant is.
            KeyProviderAway: the KMS that keeps it cannot be asked.
        """
        found = self.find(seal)
        if found is not None:
            return found
        if seal.account_id is None:
            if self._remote is None:
                raise KeyProviderAway(NO_REMOTE)
            return await self._remote.unwrap(seal.key_arn, seal.sealed, seal.context)
        opened = await self._own.unseal(seal)
        self._keep(seal, opened)
        return opened

    async def check(self, repository: Repository | None) -> None:
        """Check that what a repository holds may be given out: its key opens.

        Raises:
            KeyRefused, KeyProviderAway
        """
        if repository is not None and repository.seal is not None:
            await self.open(repository.seal)

    def get(self, seal: SealedKey) -> bytes:
        """The key, for use within a transaction.

        Raises:
            SealClosed: it must be opened first.
        """
        found = self.find(seal)
        if found is None:
            raise SealClosed(seal)
        return found

    async def with_open(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a transaction; when it needs a key that is not open, open it and run it again.

        Raises:
            KeyRefused, KeyProviderAway: none of the keys that would do can be opened.
        """
        for _ in range(ATTEMPTS):
            try:
                return await work()
            except SealClosed as closed:
                await self._open_any(closed.seals)
        raise KeyProviderAway("the key was closed again and again")

    async def _open_any(self, seals: tuple[SealedKey, ...]) -> None:
        """Open the first that can be opened."""
        refused: KeyRefused | KeyProviderAway | None = None
        for seal in seals:
            try:
                await self.open(seal)
            except (KeyRefused, KeyProviderAway) as error:
                refused = error
            else:
                return
        if refused is not None:
            raise refused

    def _keep(self, seal: SealedKey, opened: bytes) -> None:
        self._kept[seal.repository_id] = seal.epoch, opened
        self._kept.move_to_end(seal.repository_id)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
