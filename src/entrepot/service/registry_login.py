"""Registry logins: user name and password of a `/v2/` request become a caller, whichever kind of password it is.

Registry tokens are those of GetAuthorizationToken and know no user but `AWS`; robot tokens have a password of their own
form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.domain.error import TokenInvalid
from entrepot.domain.principal import Caller
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import VerifiedToken
from entrepot.domain.robot_token import is_robot_password
from entrepot.service.registry_token import RegistryTokenService
from entrepot.service.robot_login import RobotLogin, RobotLogins

USER: Final = "AWS"


@dataclass(slots=True)  # frozen, it would take three times as long to make
class RegistryLogin:
    """What proved who calls, and who that was when it was last looked at."""

    token: VerifiedToken | RobotLogin
    caller: Caller

    @property
    def registry(self) -> Registry:
        """The registry that the password was given for."""
        return self.token.registry


class RegistryLogins:
    """Both kinds of passwords, for one worker."""

    def __init__(self, tokens: RegistryTokenService, robots: RobotLogins) -> None:
        self._tokens, self._robots = tokens, robots

    async def log_in(self, user: str, password: str, address: str) -> RegistryLogin:
        """Who calls, perhaps as of an earlier epoch: `confirm` it against the request's own read.

        Raises:
            TokenInvalid: not one of our passwords, or not for this user.
            TokenExpired: it was.
        """
        if is_robot_password(password):
            login = await self._robots.log_in(user, password, address)
            return RegistryLogin(login, login.caller)
        if user != USER:
            raise TokenInvalid
        token = self._tokens.verify(password)
        return RegistryLogin(token, await self._tokens.caller(token))

    async def confirm(self, login: RegistryLogin, epoch: int | None) -> Caller:
        """The caller, after a look at the rows if the access epoch of their account has moved since.

        Raises:
            TokenExpired: the password was revoked in the meantime.
        """
        if isinstance(login.token, RobotLogin):
            return await self._robots.confirm(login.token, login.caller, epoch)
        return await self._tokens.confirm(login.token, login.caller, epoch)
