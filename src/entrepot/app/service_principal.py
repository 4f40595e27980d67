"""Service principals for the operator: credentials of services, in a database opened without a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from entrepot.app.admin import write_key
from entrepot.app.config import Settings
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.domain.service_principal import ServicePrincipal
from entrepot.service.service_principal import NewServicePrincipal, ServicePrincipalService

T = TypeVar("T")


def create(settings: Settings, name: str, source_arns: Sequence[str], profile: str | None) -> NewServicePrincipal:
    """Make a credential of a service, written to an AWS profile if one is named.

    Raises:
        CommandError: the name or a pattern is none, or the database or the files of profiles cannot be used.
    """
    made = _with_service(settings, lambda service: service.create(name, source_arns))
    if profile:
        _write_profile(settings, made, profile)
    return made


def list_all(settings: Settings) -> Sequence[ServicePrincipal]:
    """All credentials of services, by name and age.

    Raises:
        CommandError: the database cannot be used.
    """
    return _with_service(settings, lambda service: service.list())


def find(settings: Settings, which: str) -> Sequence[ServicePrincipal]:
    """The one with an access key id, or all of a service's name.

    Raises:
        CommandError: there is none, or the database cannot be used.
    """
    return _with_service(settings, lambda service: service.find(which))


def delete(settings: Settings, which: str) -> Sequence[ServicePrincipal]:
    """Delete the same; which there were.

    Raises:
        CommandError: there is none, or the database cannot be used.
    """
    return _with_service(settings, lambda service: service.delete(which))


def _write_profile(settings: Settings, made: NewServicePrincipal, profile: str) -> None:
    """Write it, or leave nothing behind: nobody knows the secret of a credential that could not be written."""
    try:
        write_key(settings, profile, made.principal.access_key_id, made.secret)
    except CommandError:
        delete(settings, made.principal.access_key_id)
        raise


def _with_service(settings: Settings, act: Callable[[ServicePrincipalService], Awaitable[T]]) -> T:
    async def work(bench: Workbench) -> T:
        return await act(ServicePrincipalService(bench.database, bench.context, bench.keys))

    return run(settings, work)
