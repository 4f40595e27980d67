"""Anonymous pull for the operator: repositories opened and closed, in a database opened without a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entrepot.app.config import Settings
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.domain.arn import parse_repository_arn
from entrepot.domain.error import InvalidResourceArn, RepositoryNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.anonymous_pull import AnonymousPullService


def allow(settings: Settings, arn: str) -> bool:
    """Let everybody pull from a repository; False if everybody could.

    Raises:
        CommandError: no such repository, or the database cannot be used.
    """
    return _with_repository(settings, arn, AnonymousPullService.allow)


def deny(settings: Settings, arn: str) -> bool:
    """End that; False if nobody could.

    Raises:
        CommandError: no such repository, or the database cannot be used.
    """
    return _with_repository(settings, arn, AnonymousPullService.deny)


def list_open(settings: Settings) -> list[str]:
    """The ARNs of all repositories that everybody may pull from.

    Raises:
        CommandError: the database cannot be used.
    """

    async def work(bench: Workbench) -> list[str]:
        found = await AnonymousPullService(bench.database, bench.context).list()
        return [registry.repository_arn(name) for registry, name in found]

    return run(settings, work)


def _with_repository(
    settings: Settings, arn: str, act: Callable[[AnonymousPullService, Registry, RepositoryName], Awaitable[bool]]
) -> bool:
    try:
        registry, name = parse_repository_arn(arn)
    except InvalidResourceArn as error:
        raise CommandError(
            f"{arn} is not the ARN of a repository: arn:aws:ecr:REGION:ACCOUNT:repository/NAME"
        ) from error

    async def work(bench: Workbench) -> bool:
        try:
            return await act(AnonymousPullService(bench.database, bench.context), registry, name)
        except RepositoryNotFound as error:
            raise CommandError(f"there is no repository {arn}") from error

    return run(settings, work)
