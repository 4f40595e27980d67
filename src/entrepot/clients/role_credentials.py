"""Credentials of one role: assumed with AWS's chain, renewed before they end, by one call for all who want them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from entrepot.clients.aws_chain import Chain, said_in_one_line
from entrepot.clients.client_error import ClientError

RENEW_SECONDS = 20 * 60
"""Renewed when less is left: SDKs ask again 15 minutes before the end, and take nothing shorter than ten."""
RETRY_SECONDS = 5
"""After a failure the last answer counts for so long: clients that ask in a loop are no load on STS."""
PATIENCE_SECONDS = 1
"""How long somebody waits for new credentials while the old ones hold; SDKs give up after two seconds."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What AssumeRole gave; times in seconds of the epoch."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    issued_at: float
    expires_at: float

    def is_fresh(self, now: float) -> bool:
        """Whether there is no need to renew them yet: twenty minutes are left, or half of a short life."""
        return now < self.expires_at - min(RENEW_SECONDS, (self.expires_at - self.issued_at) / 2)

    def is_valid(self, now: float) -> bool:
        """Whether they still work."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Role:
    """A role, how it is assumed, and whose credentials and settings do it."""

    arn: str
    session_name: str
    duration_seconds: int
    external_id: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None

    def assume(self) -> Credentials:
        """Call AssumeRole. Settings are read anew: whatever changed in AWS's files since the last time counts.

        Raises:
            ClientError: no credentials to do it with, STS refuses, or its answer cannot be read.
        """
        chain = Chain.open(self.profile)
        sts = chain.client("sts", self.region or chain.region(), endpoint_url=self.endpoint_url)
        wish = {"RoleArn": self.arn, "RoleSessionName": self.session_name, "DurationSeconds": self.duration_seconds}
        asked_at = time.time()
        if self.external_id:
            wish["ExternalId"] = self.external_id
        try:
            with said_in_one_line():
                keys = sts.assume_role(**wish)["Credentials"]
            secrets = keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
            return Credentials(*secrets, asked_at, keys["Expiration"].timestamp())
        except (LookupError, AttributeError) as error:  # botocore's own too, for answers of something else
            raise ClientError("the answer to AssumeRole holds no credentials") from error


class RoleCredentials:
    """The credentials of a role as of now, for callers on one event loop."""

    def __init__(
        self,
        assume: Callable[[], Credentials],
        tell: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`assume` may block; `tell` gets a line for each time it worked, and for each renewal that failed."""
        self._assume, self._tell, self._now = assume, tell, now
        self._kept: Credentials | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failure: ClientError | None = None
        self._retry_at = 0.0

    async def get(self) -> Credentials:
        """Credentials that hold; while they cannot be renewed, those that still do.

        Raises:
            ClientError: there are none, and why.
        """
        if self._kept is None or not self._kept.is_fresh(self._now()):
            await self._renew(PATIENCE_SECONDS if self._held() else None)
        if held := self._held():
            return held
        raise self._failure or ClientError("STS gave credentials that have ended already")

    def _held(self) -> Credentials | None:
        return self._kept if self._kept and self._kept.is_valid(self._now()) else None

    async def _renew(self, patience: float | None) -> None:
        """Wait for the one renewal that is under way, or begin it unless one failed just now."""
        if self._renewing is None:
            if self._failure and self._now() < self._retry_at:
                return
            self._renewing = asyncio.create_task(self._assume_once())
        await asyncio.wait([self._renewing], timeout=patience)

    async def _assume_once(self) -> None:
        try:
            self._kept = await _in_thread(self._assume)
        except ClientError as error:
            self._failure, self._retry_at = error, self._now() + RETRY_SECONDS
            if self._kept:
                self._tell(f"no new credentials: {error}")
        else:
            self._failure = None
            self._tell(f"credentials until {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(self._kept.expires_at))}")
        finally:
            self._renewing = None


async def _in_thread(assume: Callable[[], Credentials]) -> Credentials:
    """Call it beside the loop, in a thread that nobody waits for when the program ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Credentials] = loop.create_future()

    def finish(outcome: Credentials | ClientError) -> None:
        if done.cancelled():
            return
        if isinstance(outcome, ClientError):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)

    def work() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, _outcome(assume))

    threading.Thread(target=work, daemon=True).start()
    return await done


def _outcome(assume: Callable[[], Credentials]) -> Credentials | ClientError:
    try:
        return assume()
    except ClientError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a thread would end in silence, and everybody would wait on
        return ClientError(f"{type(error).__name__} while assuming the role")
