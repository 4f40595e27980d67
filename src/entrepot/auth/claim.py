"""Signature claims: what a request says about its signer, read from its headers or its presigned query.

Nothing here is proven: `auth/sigv4.py` checks it.

Spec: AWS IAM user guide, "AWS Signature Version 4 for API requests"; security rules, "Identity".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote

from entrepot.auth.canonical_request import query_pairs
from entrepot.domain.error import IncompleteSignature, InvalidSignature, MissingAuthentication

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
EXPIRES_MAX_SECONDS: Final = 7 * 24 * 3600
BASIC_FORMAT: Final = "%Y%m%dT%H%M%SZ"
MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SECONDS = re.compile(r"[0-9]{1,6}")
_HEX_64 = re.compile(r"[0-9a-f]{64}")
_HEADER_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_SINGLE_HEADERS = ("authorization", "host", "date", "content-type")
_FIELDS = ("Credential", "SignedHeaders", "Signature")
_CREDENTIAL_FIELD = re.compile(r"(?:^|[\s,])Credential=([^,\s]*)")
_CREDENTIAL_PARAMETER = re.compile(r"(?:^|&)X-Amz-Credential=([^&]*)")


class SignedMessage(Protocol):
    """What of a request is signed beside its body."""

    @property
    def method(self) -> str:
        """In upper case."""

    @property
    def raw_path(self) -> str:
        """As sent, without the query."""

    @property
    def raw_query(self) -> str:
        """As sent."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature; nothing in it is proven."""

    access_key_id: str
    date: str
    """Of the scope: YYYYMMDD."""
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    signed_at: datetime
    expires: timedelta | None
    """How long a presigned request lives; None for one signed in its headers."""
    security_token: str | None = field(repr=False)
    body_hash: str | None
    """Of the body, in hex, where the request states it."""

    @property
    def scope(self) -> str:
        """`DATE/REGION/SERVICE/aws4_request`."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def scope_of(message: SignedMessage) -> tuple[str, str] | None:
    """Region and service that the scope names, if a request has one at all; nothing is checked.

    Anyone may ask for this, so it takes linear time.
    """
    for pattern, text in (
        (_CREDENTIAL_FIELD, message.headers.get("Authorization", "")),
        (_CREDENTIAL_PARAMETER, message.raw_query),
    ):
        if found := pattern.search(text):
            fields = unquote(found[1]).split("/", 4)
            if len(fields) == 5:  # noqa: PLR2004 (key and the four parts of a scope)
                return fields[2], fields[3]
    return None


def read_claim(message: SignedMessage) -> Claim:
    """Read the signature's fields from the Authorization header or the presigned query.

    Raises:
        MissingAuthentication: neither is there.
        IncompleteSignature: a field is missing, malformed or given twice.
        InvalidSignature: something that must be signed is not, or the payload is not signed.
    """
    _check_single(message)
    query = query_pairs(message.raw_query)
    is_presigned = any(name in ("X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential") for name, _ in query)
    header = message.headers.get("Authorization")
    if header is None and not is_presigned:
        raise MissingAuthentication
    if header is not None and is_presigned:
        raise IncompleteSignature("A request is signed either in its Authorization header or in its query, not both")
    claim = _read_header(message, header) if header is not None else _read_query(message, query)
    _check_signed_headers(message, claim)
    return claim


def _check_single(message: SignedMessage) -> None:
    names = [name.lower() for name, _ in message.headers.items()]  # iterating over the headers shows each name once
    for name in {name for name in names if name in _SINGLE_HEADERS or name.startswith("x-amz-")}:
        if names.count(name) > 1:
            raise IncompleteSignature(f"The header '{name}' is given more than once")
    if message.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise InvalidSignature("A body with Content-Encoding is not accepted: send it plain")


def _read_header(message: SignedMessage, header: str) -> Claim:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Authorization header requires the algorithm '{ALGORITHM}'")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise IncompleteSignature("Not a valid key=value pair (missing equal-sign) in Authorization header")
        if name in fields:
            raise IncompleteSignature(f"The field '{name}' is given more than once in the Authorization header")
        fields[name] = value
    missing = [f"Authorization header requires '{name}' parameter." for name in _FIELDS if not fields.get(name)]
    if missing:
        raise IncompleteSignature(" ".join(missing))
    signed_at = _header_time(message)
    token = message.headers.get("X-Amz-Security-Token")
    return _claim(fields, signed_at, None, token, message.headers.get("X-Amz-Content-Sha256"))


def _read_query(message: SignedMessage, query: list[tuple[str, str]]) -> Claim:
    fields: dict[str, str] = {}
    for name, value in query:
        if name.lower().startswith("x-amz-"):
            if name in fields:
                raise IncompleteSignature(f"The query parameter '{name}' is given more than once")
            fields[name] = value
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise IncompleteSignature(f"The query parameter 'X-Amz-Algorithm' must be '{ALGORITHM}'")
    named = {name: fields.get(f"X-Amz-{name}", "") for name in (*_FIELDS, "Date", "Expires")}
    missing = [
        f"AWS query-string parameters must include 'X-Amz-{name}'." for name, value in named.items() if not value
    ]
    if missing:
        raise IncompleteSignature(" ".join(missing))
    stated = fields.get("X-Amz-Content-Sha256", message.headers.get("X-Amz-Content-Sha256"))
    token = fields.get("X-Amz-Security-Token", message.headers.get("X-Amz-Security-Token"))
    return _claim(named, _parse_basic(named["Date"]), _expires(named["Expires"]), token, stated)


def _claim(
    fields: dict[str, str],
    signed_at: datetime,
    expires: timedelta | None,
    security_token: str | None,
    body_hash: str | None,
) -> Claim:
    access_key_id, date, region, service = _credential(fields["Credential"])
    if date != signed_at.strftime("%Y%m%d"):
        raise InvalidSignature(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{signed_at:%Y%m%d}', from '{signed_at.strftime(BASIC_FORMAT)}'."
        )
    signed_headers = fields["SignedHeaders"].lower()
    if not _HEADER_NAMES.fullmatch(signed_headers):
        raise IncompleteSignature("SignedHeaders must be names of headers joined by semicolons")
    if body_hash is not None and not _HEX_64.fullmatch(body_hash):
        raise InvalidSignature(
            "X-Amz-Content-Sha256 must be the SHA-256 of the body: unsigned and streaming payloads are not accepted"
        )
    if not _HEX_64.fullmatch(fields["Signature"]):
        raise InvalidSignature(MISMATCH)
    return Claim(
        access_key_id,
        date,
        region,
        service,
        tuple(signed_headers.split(";")),
        fields["Signature"],
        signed_at,
        expires,
        security_token,
        body_hash,
    )


def _credential(credential: str) -> tuple[str, str, str, str]:
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts):  # noqa: PLR2004 (key and the four parts of a scope)
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        )
    access_key_id, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise InvalidSignature(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    return access_key_id, date, region, service


def _check_signed_headers(message: SignedMessage, claim: Claim) -> None:
    if "host" not in claim.signed_headers:
        raise InvalidSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    unsigned = {name.lower() for name in message.headers if name.lower().startswith("x-amz-")} - set(
        claim.signed_headers
    )
    if unsigned:
        raise InvalidSignature(
            f"There were headers present in the request which were not signed: {', '.join(sorted(unsigned))}"
        )
    absent = [name for name in claim.signed_headers if name not in message.headers]
    if absent:
        raise InvalidSignature(f"Signed headers are missing from the request: {', '.join(absent)}")


def _header_time(message: SignedMessage) -> datetime:
    text = message.headers.get("X-Amz-Date")
    if text is not None:
        return _parse_basic(text)
    text = message.headers.get("Date")
    if text is None:
        raise IncompleteSignature(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if _BASIC.fullmatch(text):
        return _parse_basic(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError) as error:
        raise IncompleteSignature("The Date header can not be read") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_basic(text: str) -> datetime:
    try:
        if _BASIC.fullmatch(text):
            return datetime.strptime(text, BASIC_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise IncompleteSignature("Date must be in ISO-8601 'basic format', such as 20150830T123600Z")


def _expires(text: str) -> timedelta:
    if not _SECONDS.fullmatch(text) or not 0 < int(text) <= EXPIRES_MAX_SECONDS:
        raise IncompleteSignature("X-Amz-Expires must be 1 to 604800 seconds")
    return timedelta(seconds=int(text))
