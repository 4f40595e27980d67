"""Condition keys: what a request tells the policies, each key worked out when a condition asks for it.

Keys are asked for in lower case, as the policy engine does. One that nothing is known of is absent: nothing that a
caller sends without signing sets a key, but for what AWS itself takes from headers (`aws:UserAgent`, `aws:Referer`).

Spec: IAM user guide, "AWS global condition context keys"; Service Authorization Reference, "Condition keys for Amazon
ECR", "for AWS Security Token Service".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from entrepot.domain.passage import Passage
from entrepot.domain.principal import Caller, PrincipalKind

Values = tuple[str, ...]

_OF_NO_ACCOUNT: Final = (PrincipalKind.ANONYMOUS, PrincipalKind.FEDERATED, PrincipalKind.SERVICE)
_NONE: Final[Mapping[str, Values]] = {}
_NO_KEYS: Final[Mapping[str, Values]] = {}
_NO_TAGS: Final[Mapping[str, str]] = {}


class Facts(Protocol):
    """What condition keys are made of, all of it from the connection or signed by the caller."""

    @property
    def source_ip(self) -> str:
        """Of the peer, or of whom a trusted proxy speaks for."""

    @property
    def is_secure(self) -> bool:
        """Whether the request came over TLS."""

    @property
    def listener(self) -> str:
        """URL of the listener that accepted the connection."""

    @property
    def region(self) -> str | None:
        """`aws:RequestedRegion`."""

    @property
    def user_agent(self) -> str | None:
        """As sent."""

    @property
    def referer(self) -> str | None:
        """As sent."""

    @property
    def passage(self) -> Passage | None:
        """The private endpoint that it came in through."""

    @property
    def parameters(self) -> Mapping[str, Values]:
        """Keys in lower case that follow from the parameters of the request, such as `aws:requesttag/team`."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """Facts that are all known beforehand."""

    source_ip: str
    is_secure: bool
    listener: str
    region: str | None = None
    user_agent: str | None = None
    referer: str | None = None
    parameters: Mapping[str, Values] = field(default_factory=dict)
    passage: Passage | None = None


class RequestContext(Mapping[str, Values]):
    """The condition keys of one request on one resource."""

    __slots__ = ("caller", "facts", "now", "principal_tags", "resource_account", "resource_keys", "resource_tags")

    def __init__(
        self,
        caller: Caller,
        facts: Facts,
        now: datetime,
        principal_tags: Mapping[str, str] = _NO_TAGS,
        resource_account: str | None = None,
        resource_tags: Mapping[str, str] = _NO_TAGS,
        resource_keys: Mapping[str, Values] = _NO_KEYS,
    ) -> None:
        """Tags are by tag key in lower case; `resource_keys` say more of the resource."""
        self.caller, self.facts, self.now = caller, facts, now
        self.principal_tags, self.resource_account = principal_tags, resource_account
        self.resource_tags, self.resource_keys = resource_tags, resource_keys

    def get(self, key: str, default: Values | None = None) -> Values | None:  # type: ignore[override]
        """The values of a key; the default when it is absent."""
        found = self.facts.parameters.get(key)
        if found is not None:
            return found
        if key in self.resource_keys:
            return self.resource_keys[key]
        single = _SINGLE.get(key)
        value = single(self) if single else self._tag(key)
        return self._vouched.get(key, default) if value is None else (value,)

    def __getitem__(self, key: str) -> Values:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        tags = [f"{prefix}{key}" for prefix in _RESOURCE_TAG for key in self.resource_tags]
        named = [*_SINGLE, *(f"{_PRINCIPAL_TAG}{key}" for key in self.principal_tags), *tags]
        yield from dict.fromkeys(
            [
                *self.facts.parameters,
                *self.resource_keys,
                *self._vouched,
                *(key for key in named if self.get(key) is not None),
            ]
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def _vouched(self) -> Mapping[str, Values]:
        """What a provider said of who is in the session."""
        return self.caller.session.vouched if self.caller.session else _NONE

    def _tag(self, key: str) -> str | None:
        if key.startswith(_PRINCIPAL_TAG):
            return self.principal_tags.get(key[len(_PRINCIPAL_TAG) :])
        for prefix in _RESOURCE_TAG:
            if key.startswith(prefix):
                return self.resource_tags.get(key[len(prefix) :])
        return None

    def principal_account(self) -> str | None:
        """`aws:PrincipalAccount`: services and providers' users have none."""
        return None if self._is_nobodys() else self.caller.account_id

    def service_name(self) -> str | None:
        """`aws:PrincipalServiceName`: services only."""
        principal = self.caller.principal
        return principal.arn if principal.kind is PrincipalKind.SERVICE else None

    def _is_nobodys(self) -> bool:
        """Whether the caller is of no account: a service, nobody, or somebody with a token before a role is assumed."""
        return self.caller.principal.kind in _OF_NO_ACCOUNT

    def principal_arn(self) -> str | None:
        """`aws:PrincipalArn`: of a session, the role; absent for who is of no account."""
        principal = self.caller.principal
        return None if self._is_nobodys() else principal.identity_arn or principal.arn

    def user_id(self) -> str | None:
        """`aws:userid`."""
        if self.caller.principal.kind is PrincipalKind.ANONYMOUS:
            return "anonymous"
        return None if self._is_nobodys() else self.caller.user_id

    def user_name(self) -> str | None:
        """`aws:username`: users only."""
        principal = self.caller.principal
        return principal.arn.rpartition("/")[2] if principal.kind is PrincipalKind.USER else None

    def token_issue_time(self) -> str | None:
        """`aws:TokenIssueTime`: temporary credentials only."""
        session = self.caller.session
        return _iso(session.issued_at) if session else None

    def multi_factor(self) -> str | None:
        """`aws:MultiFactorAuthPresent`: absent for keys that do not expire; nobody has a second factor here."""
        return "false" if self.caller.session else None

    def source_identity(self) -> str | None:
        """`aws:SourceIdentity`."""
        session = self.caller.session
        return session.source_identity if session else None


_PRINCIPAL_TAG: Final = "aws:principaltag/"
_RESOURCE_TAG: Final = ("aws:resourcetag/", "ec2:resourcetag/", "ecr:resourcetag/", "iam:resourcetag/")

_SINGLE: Final[dict[str, Callable[[RequestContext], str | None]]] = {
    "aws:currenttime": lambda c: _iso(c.now),
    "aws:epochtime": lambda c: str(int(c.now.timestamp())),
    "aws:multifactorauthpresent": RequestContext.multi_factor,
    "aws:principalaccount": RequestContext.principal_account,
    "aws:principalarn": RequestContext.principal_arn,
    "aws:principalisawsservice": lambda c: "true" if c.caller.principal.kind is PrincipalKind.SERVICE else "false",
    "aws:principalservicename": RequestContext.service_name,
    "aws:principalservicenameslist": RequestContext.service_name,
    "aws:principaltype": lambda c: c.caller.principal.kind.value,
    "aws:referer": lambda c: c.facts.referer,
    "aws:requestedregion": lambda c: c.facts.region,
    "aws:resourceaccount": lambda c: c.resource_account,
    "aws:securetransport": lambda c: "true" if c.facts.is_secure else "false",
    "aws:sourceaccount": lambda c: c.caller.source_account,
    "aws:sourcearn": lambda c: c.caller.source_arn,
    "aws:sourceidentity": RequestContext.source_identity,
    "aws:sourceip": lambda c: None if c.facts.passage else c.facts.source_ip,
    "aws:sourcevpc": lambda c: c.facts.passage.vpc_id if c.facts.passage else None,
    "aws:sourcevpce": lambda c: c.facts.passage.endpoint_id if c.facts.passage else None,
    "aws:tokenissuetime": RequestContext.token_issue_time,
    "aws:useragent": lambda c: c.facts.user_agent,
    "aws:userid": RequestContext.user_id,
    "aws:username": RequestContext.user_name,
    "aws:viaawsservice": lambda _: "false",
    "aws:vpcsourceip": lambda c: c.facts.source_ip if c.facts.passage else None,
    "kms:calleraccount": lambda c: c.caller.account_id or None,
}
"""Keys with one value, by their names in lower case."""

IMAGE_TAG: Final = "ecr:imagetag"
"""Extension: the image tags that a request names, so that policies can speak of them."""

CLOCK_KEYS: Final = frozenset({"aws:currenttime", "aws:epochtime"})
"""Keys whose values never come again."""

_OF_CONNECTION: Final[dict[str, Callable[[Facts], object]]] = {
    "aws:referer": lambda facts: facts.referer,
    "aws:securetransport": lambda facts: facts.is_secure,
    "aws:sourceip": lambda facts: facts.source_ip,
    "aws:useragent": lambda facts: facts.user_agent,
    "aws:vpcsourceip": lambda facts: facts.source_ip,
}
"""The endpoint is not among them: what is decided for one is remembered for that one only."""


def reader_of(key: str) -> Callable[[Facts], object] | None:
    """What reads that in which requests of one credential for one resource can differ, as to a key; None: in nothing.

    The time is nobody's to read twice. What requests bring along (`parameters`) differs, so what nothing is known of
    here may too.
    """
    if key in _OF_CONNECTION:
        return _OF_CONNECTION[key]
    if key in _SINGLE or key.startswith((_PRINCIPAL_TAG, *_RESOURCE_TAG)):
        return None
    return lambda facts: facts.parameters.get(key)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
