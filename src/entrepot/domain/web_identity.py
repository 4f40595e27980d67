"""Web identities: what a token of an OpenID Connect provider says about who holds it, once it is believed.

Spec: OpenID Connect Core 1.0, "ID Token"; IAM user guide, "Create an OpenID Connect (OIDC) identity provider in IAM",
"AWS OIDC federation condition keys"; STS API, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TOKEN_LENGTH_MAX = 20_000
"""Characters. Spec: STS API, WebIdentityToken."""

CLAIMS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "token.actions.githubusercontent.com": (
        "actor",
        "actor_id",
        "enterprise_id",
        "environment",
        "job_workflow_ref",
        "ref",
        "repository",
        "repository_id",
        "workflow",
    ),
}
"""Issuer → its claims that trust policies know as condition keys, beside `sub`, `aud` and `amr` of every issuer."""

KEY_SET_BYTES_MAX = 256 * 1024
"""Of the keys of one issuer, and of what says where they are."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider that an account trusts."""

    account_id: str
    issuer: str
    """Host and path, without `https://`: how ARNs and condition keys name it."""
    client_ids: tuple[str, ...]
    """The audiences that its tokens may be for."""
    ca: str | None = None
    """PEM certificates that sign the issuer's own; None: the system's."""
    keys: str | None = None
    """A JSON Web Key Set that an operator gave, so that the issuer is never asked."""

    @property
    def url(self) -> str:
        """What tokens say as `iss`."""
        return f"https://{self.issuer}"

    @property
    def arn(self) -> str:
        """`arn:aws:iam::ACCOUNT:oidc-provider/ISSUER`."""
        return f"arn:aws:iam::{self.account_id}:oidc-provider/{self.issuer}"


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Who holds a token that was verified."""

    provider: Provider
    subject: str
    audience: str
    """The one of the provider's client ids that the token is for."""
    methods: tuple[str, ...] = ()
    """`amr`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Session tags, of the claim `https://aws.amazon.com/tags`."""
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str | None = None
    """Of the claim `https://aws.amazon.com/source_identity`."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Of the claims that policies know of this issuer beside the standard's, those that the token has."""

    def trust_keys(self) -> dict[str, tuple[str, ...]]:
        """What the trust policy of a role is told, keys in lower case."""
        issuer = self.provider.issuer.lower()
        return {f"{issuer}:{name}": (value,) for name, value in self.claims.items()} | self.session_keys()

    def session_keys(self) -> dict[str, tuple[str, ...]]:
        """What all policies are told as long as the session lasts, keys in lower case."""
        issuer = self.provider.issuer.lower()
        keys: dict[str, tuple[str, ...]] = {
            f"{issuer}:sub": (self.subject,),
            f"{issuer}:aud": (self.audience,),
            "aws:federatedprovider": (self.provider.arn,),
        }
        if self.methods:
            keys[f"{issuer}:amr"] = self.methods
        return keys
