"""Job handlers: which service does which kind of job, and which kinds come again by the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

from entrepot.app.config import Settings
from entrepot.app.job_runner import Handler, Result
from entrepot.domain.job import Claim, Cron, JobKind
from entrepot.service.event import EventService
from entrepot.service.services import Services


def crons(settings: Settings) -> tuple[Cron, ...]:
    """What comes again, and how often."""
    return (
        Cron(JobKind.UPLOAD_SWEEP, 300),
        Cron(JobKind.GARBAGE, settings.collection_period_seconds),
        Cron(JobKind.TOKEN_PURGE, 3600),
        Cron(JobKind.KEY_PURGE, 3600),
        Cron(JobKind.KMS_DELETION, 300),
        Cron(JobKind.KMS_ROTATION, 3600),
        Cron(JobKind.EVENT_PURGE, 3600),
        Cron(JobKind.JOB_PURGE, 3600),
    )


def handlers(services: Services, events: EventService) -> Mapping[str, Handler]:
    """What does each kind. All of it is safe to repeat and to run twice at once."""
    return {
        JobKind.UPLOAD_SWEEP: _told_by(lambda: _sweep(services)),
        JobKind.GARBAGE: _told_by(lambda: _remove_garbage(services)),
        JobKind.TOKEN_PURGE: _told_by(lambda: _purge_tokens(services)),
        JobKind.KEY_PURGE: _counted(services.session.purge_expired),
        JobKind.KMS_DELETION: _counted(services.kms_lifecycle.delete_due),
        JobKind.KMS_ROTATION: _counted(services.kms_rotation.rotate_due, "rotated"),
        JobKind.EVENT_PURGE: _counted(events.purge),
        JobKind.JOB_PURGE: _counted(services.job.purge),
    }


async def _sweep(services: Services) -> Result:
    return asdict(await services.upload.sweep())


async def _remove_garbage(services: Services) -> Result:
    """Collect, then free the bytes whose time has come."""
    collected = await services.garbage.collect()
    return asdict(collected) | asdict(await services.upload.sweep())


async def _purge_tokens(services: Services) -> Result:
    """Registry tokens that have expired, and robot tokens that ended long ago."""
    return {
        "removed": await services.registry_token.purge_expired(),
        "removedRobotTokens": await services.robot_token.purge_ended(),
    }


def _told_by(work: Callable[[], Awaitable[Result]]) -> Handler:
    """Work that takes no arguments."""

    async def handle(_: Claim) -> Result:
        return await work()

    return handle


def _counted(work: Callable[[], Awaitable[int]], done: str = "removed") -> Handler:
    """Work that says how many it removed, or did something else to."""

    async def handle(_: Claim) -> Result:
        return {done: await work()}

    return handle
