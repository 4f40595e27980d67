"""Access to the data plane: who calls, for which registry, and whether they may.

The order is the same for every request: token, session, parsed names, one read, epoch, permission, and only then
anything that the read found. A caller without permission gets one answer, whether the repository exists or not; one
of another account gets it before anything is read, so that not even its time tells (docs/adr/0013).

Spec: ECR user guide, "Private registry authentication" and "IAM permissions for pushing an image"; security rules,
"Decisions".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qs

from entrepot.auth.condition_key import IMAGE_TAG, Values
from entrepot.auth.docker_login import read_bearer, read_login, registry_for
from entrepot.domain.error import AccessDenied, MissingAuthentication, QueryTooLong, RepositoryNotFound, TokenInvalid
from entrepot.domain.passage import Passage
from entrepot.domain.principal import NOBODY, Caller, Principal
from entrepot.domain.reference import Reference, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.view import RepositoryView
from entrepot.service.registry_login import USER, RegistryLogin
from entrepot.transport.exchange import Exchange

if TYPE_CHECKING:
    from entrepot.auth.authorize import Authorizer
    from entrepot.auth.failed_login import FailedLogins
    from entrepot.domain.bearer_host import BearerHosts
    from entrepot.service.services import Services

View = TypeVar("View", bound=RepositoryView)

_PULLING: Final = frozenset({"ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"})
"""All that somebody of whom nothing is known may ever do."""

_NOTHING: Final = RepositoryName("")
"""No repository has this name: a view of it reads the caller's epoch and nothing else."""

QUERY_FIELDS_MAX = 200
"""More fields than any request of ours has."""


class Call:
    """An authenticated request for a registry; it is itself what condition keys are made of."""

    __slots__ = ("_query", "caller", "exchange", "login", "parameters", "passage", "registry")

    def __init__(
        self, exchange: Exchange, login: RegistryLogin | None, registry: Registry, passage: Passage | None = None
    ) -> None:
        self.exchange = exchange
        self.login = login
        """None: nobody knows who asks."""
        self.caller = NOBODY if login is None else login.caller
        self.registry = registry
        self.passage = passage
        """The private endpoint that it came in through."""
        self.parameters: dict[str, Values] = {}
        """Condition keys that follow from what is asked for."""
        self._query: dict[str, list[str]] | None = None

    @property
    def account_id(self) -> str:
        """The account of the caller, not of the registry."""
        return self.caller.account_id

    @property
    def principal(self) -> Principal:
        """Whose the caller's rights are."""
        return self.caller.principal

    @property
    def source_ip(self) -> str:
        """Of who asks."""
        return self.exchange.peer.address

    @property
    def is_secure(self) -> bool:
        """Whether it came over TLS."""
        return self.exchange.peer.is_secure

    @property
    def listener(self) -> str:
        """Where it came in."""
        return self.exchange.peer.listener

    @property
    def region(self) -> str:
        """Of the registry."""
        return self.registry.region

    @property
    def user_agent(self) -> str | None:
        """As sent."""
        return self.exchange.headers.get("User-Agent")

    @property
    def referer(self) -> str | None:
        """As sent."""
        return self.exchange.headers.get("Referer")

    def name_tags(self, *references: Reference) -> None:
        """Tell the policies which image tags the request names; digests are none."""
        tags = tuple(dict.fromkeys(one.name for one in references if isinstance(one, Tag)))
        if tags:
            self.parameters[IMAGE_TAG] = tags

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's fields; unknown ones are nobody's business.

        Raises:
            QueryTooLong: too many fields.
        """
        if self._query is None:
            raw = self.exchange.query
            try:
                self._query = parse_qs(raw, True, max_num_fields=QUERY_FIELDS_MAX) if raw else {}
            except ValueError as error:
                raise QueryTooLong(f"The query has more than {QUERY_FIELDS_MAX} fields") from error
        return self._query

    def one(self, field: str) -> str | None:
        """The first value of a query field."""
        values = self.query.get(field)
        return values[0] if values else None


class Access:
    """Turns exchanges into calls and asks the authorizer."""

    def __init__(
        self, services: Services, authorizer: Authorizer, failed_logins: FailedLogins, bearer_hosts: BearerHosts
    ) -> None:
        self._logins = services.registry_login
        self._authorizer = authorizer
        self._repositories = services.repository
        self._passages = services.passage
        self._failed_logins = failed_logins
        self._bearer_hosts = bearer_hosts
        self._nobodys_tokens = services.anonymous_token
        self._anonymous_pull = services.anonymous_pull

    async def open(self, exchange: Exchange) -> Call:
        """Authenticate; nothing of the body is read.

        Raises:
            EndpointClosed: it came in through an endpoint that does not let it in.
            Unauthenticated: the answer carries the challenge.
            TooManyFailedLogins: the address sent too many false tokens.
        """
        gate, address = exchange.peer.gate, exchange.peer.address
        passage = await self._passages.open(gate, address) if gate else None
        self._failed_logins.check(address)
        here = self._bearer_hosts.registry_of(exchange.host)
        try:
            login = await self._login(exchange.headers.get("Authorization"), here, address)
        except TokenInvalid:
            self._failed_logins.count(address)
            raise
        own = login.registry if login else here
        if own is None:
            raise MissingAuthentication
        return Call(exchange, login, registry_for(exchange.host, own), passage)

    async def _login(self, authorization: str | None, here: Registry | None, address: str) -> RegistryLogin | None:
        """Who logs in, None with a token of nobody; Bearer counts only on Bearer hosts, of whose registry `here` is."""
        text = None if here is None else read_bearer(authorization)
        if text is None or here is None:
            user, password = read_login(authorization)
            return await self._logins.log_in(user, password, address)
        if self._nobodys_tokens.is_one(text):
            self._nobodys_tokens.verify(text, here)
            return None
        return await self._logins.log_in(USER, text, address)

    async def epoch(self, call: Call) -> int | None:
        """The access epoch of the caller's account now, without a look at any repository."""
        return (await self._repositories.view(call.account_id, call.registry, _NOTHING)).caller_epoch

    async def repository(self, call: Call, name: RepositoryName, action: str) -> int | None:
        """Find a repository for a caller who may do `action` to it; the epoch at which they may.

        Raises:
            TokenExpired, AccessDenied, RepositoryNotFound: in this order.
        """
        view = await self.look(
            call, name, (action,), lambda: self._repositories.view(call.account_id, call.registry, name)
        )
        return view.caller_epoch

    async def look(
        self, call: Call, name: RepositoryName, actions: tuple[str, ...], read: Callable[[], Awaitable[View]]
    ) -> View:
        """What `read` finds in the repository `name`, for a caller who may do one of `actions` to it.

        Raises:
            MissingAuthentication: nobody knows who asks, and the repository is not open to everybody.
            TokenExpired, AccessDenied, RepositoryNotFound: in this order.
        """
        if call.login is None:
            return await self._look_as_nobody(call, name, actions, read)
        if call.account_id != call.registry.account_id:
            await self._permit_one(call, await self.epoch(call), actions, name)
        view = await read()
        if not self._recalls(call, actions, view):
            await self._permit_one(call, view.caller_epoch, actions, name, view)
        if view.repository is None:
            raise RepositoryNotFound(call.registry, name)
        return view

    async def look_inside(
        self, call: Call, name: RepositoryName, actions: tuple[str, ...], read: Callable[[], Awaitable[View]]
    ) -> View:
        """The same for what is encrypted: only while the key of the repository opens.

        Raises:
            TokenExpired, AccessDenied, RepositoryNotFound, KeyRefused, KeyProviderAway: in this order.
        """
        view = await self.look(call, name, actions, read)
        if view.repository is not None and view.repository.seal is not None:
            await self._repositories.check_key(view.repository)
        return view

    async def _look_as_nobody(
        self, call: Call, name: RepositoryName, actions: tuple[str, ...], read: Callable[[], Awaitable[View]]
    ) -> View:
        """The same for who has not said who he is: by the repository's setting, unless a policy denies it to all.

        What is not open is not looked at, so that neither answer nor time tells whether it exists.
        """
        if not _PULLING.issuperset(actions) or not await self._anonymous_pull.is_open(call.registry, name):
            raise MissingAuthentication
        view, arn = await read(), call.registry.repository_arn(name)
        if view.repository is None:
            raise MissingAuthentication
        for action in actions:
            if not await self._authorizer.lacks_only_a_grant(call.caller, action, arn, call, view):
                raise MissingAuthentication
        return view

    def _recalls(self, call: Call, actions: tuple[str, ...], view: RepositoryView) -> bool:
        """Whether the caller, of whom all is still as it was, is known to be let do one of `actions`."""
        caller = call.caller
        if caller.epoch != view.caller_epoch:
            return False
        for action in actions:  # noqa: SIM110 (a generator would take twice as long)
            if self._authorizer.recalls(caller, action, call, view):
                return True
        return False

    async def _permit_one(
        self,
        call: Call,
        epoch: int | None,
        actions: tuple[str, ...],
        name: RepositoryName,
        view: RepositoryView | None = None,
    ) -> None:
        """Let the caller do any of `actions`; a denial is that of the last one."""
        action, *others = actions
        try:
            await self.permit(call, epoch, action, name, view=view)
        except AccessDenied:
            if not others:
                raise
            await self._permit_one(call, epoch, tuple(others), name, view)

    async def confirm(self, call: Call, epoch: int | None) -> Caller:
        """The caller, as of `epoch` of their account.

        Raises:
            MissingAuthentication: nobody knows who it is.
            TokenExpired: the token has been revoked since it was last looked at.
        """
        if call.login is None:
            raise MissingAuthentication
        return await self._logins.confirm(call.login, epoch)

    async def permit(
        self, call: Call, epoch: int | None, action: str, *names: str, view: RepositoryView | None = None
    ) -> None:
        """Let the caller do `action` to every repository of `names`, as of `epoch` of their account.

        `view` is what was read of the one repository that is named, if it was.

        Raises:
            MissingAuthentication: nobody knows who asks.
            TokenExpired: the token has been revoked since it was last looked at.
            AccessDenied.
        """
        caller = await self.confirm(call, epoch)
        arns = [call.registry.repository_arn(name) for name in names]
        await self._authorizer.check(caller, action, arns, call, view)
