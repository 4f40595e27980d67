"""A second policy engine, slow and plain: it reads documents anew for each question and knows no index and no pattern.

It shares nothing with the first but the words for who asks. Where both agree on what nobody would write by hand, a
mistake would have to be made twice.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from entrepot.domain.policy.principal import Grant, Subject

Values = Mapping[str, tuple[str, ...]]
_V1 = ("ecr:CreateRepository", "ecr:ReplicateImage", "ecr:BatchImportUpstreamImage")


@dataclass
class Question:
    """What is asked, and all documents by what they are attached to; None where there is none."""

    subject: Subject
    action: str
    resource: str
    owner: str
    context: Values
    identity: list[str] = field(default_factory=list)
    boundary: str | None = None
    session: str | None = None
    of_resource: str | None = None
    registry: str | None = None
    scope: str = "V2"
    endpoint: str | None = None
    service_control: list[str] = field(default_factory=list)
    key_grant: Grant = Grant.NONE


def decide(question: Question) -> str:
    """`allowed`, `explicitDeny` or `implicitDeny`."""
    if any(_says(question, text, "Deny") for text in _documents(question)):
        return "explicitDeny"
    return "allowed" if _is_allowed(question) else "implicitDeny"


def _documents(q: Question) -> list[str]:
    one = [q.boundary, q.session, q.of_resource, _registry(q), q.endpoint]
    return [*q.identity, *q.service_control, *(text for text in one if text is not None)]


def _registry(q: Question) -> str | None:
    counts = q.action in _V1 if q.scope == "V1" else q.action.startswith("ecr:")
    return q.registry if counts and q.action != "ecr:GetAuthorizationToken" else None


def _is_allowed(q: Question) -> bool:
    def allows(text: str | None) -> bool:
        return text is None or bool(_says(q, text, "Allow"))

    if not all(allows(text) for text in [*q.service_control, q.endpoint]):
        return False
    said = set().union(*(_says(q, text, "Allow") for text in (q.of_resource, _registry(q)) if text is not None))
    is_key, is_role = q.action.startswith("kms:") and ":key/" in q.resource, q.action == "sts:AssumeRole"
    if is_key and q.key_grant:
        said.add(q.key_grant)
    limits = allows(q.boundary) and allows(q.session)
    caller = (q.subject.is_root or any(_says(q, text, "Allow") for text in q.identity)) and limits
    named, by_role = Grant.DIRECT in said, Grant.ROLE in said and limits
    everybody = Grant.EVERYBODY in said
    if q.subject.account_id is None:
        return named or everybody
    if q.subject.account_id != q.owner:
        return bool(said) and caller
    if is_role and ":role/" in q.resource:
        return named or by_role or (bool(said) and caller)
    if is_key:
        return named or everybody or by_role or (bool(said) and caller)
    return named or everybody or by_role or caller


def _says(q: Question, text: str, effect: str) -> set[Grant]:
    """In which names the document's statements of that effect meet who asks."""
    document = json.loads(text)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    is_new = document.get("Version") == "2012-10-17"
    fitting = (s for s in statements if s["Effect"] == effect and _fits(q, s, variables=is_new))
    return {grant for s in fitting for grant in _met(q.subject, s)}


def _fits(q: Question, s: dict[str, Any], *, variables: bool) -> bool:
    def action(text: str) -> bool:
        return _is_like(text.lower(), q.action.lower(), {}, variables=False)

    def resource(text: str) -> bool:
        return _is_arn(text, q.resource, q.context, variables=variables)

    if "Action" in s and not any(map(action, _list(s["Action"]))):
        return False
    if "NotAction" in s and any(map(action, _list(s["NotAction"]))):
        return False
    if "Resource" in s and not any(map(resource, _list(s["Resource"]))):
        return False
    if "NotResource" in s and any(map(resource, _list(s["NotResource"]))):
        return False
    return all(
        _holds(operator, q.context.get(key.lower(), ()), _list(values), q.context, variables=variables)
        for operator, keys in s.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _met(subject: Subject, s: dict[str, Any]) -> set[Grant]:
    if "Principal" not in s and "NotPrincipal" not in s:
        return {Grant.DIRECT}
    raw = s["Principal" if "Principal" in s else "NotPrincipal"]
    listed = {
        (kind, name.removeprefix("arn:aws:iam::").removesuffix(":root") if name.endswith(":root") else name)
        for kind, names in ({"AWS": "*"} if raw == "*" else raw).items()
        for name in _list(names)
    }
    mine = {
        grant: {(kind.value, name) for (kind, name), g in subject.names.items() if g is grant}
        for grant in set(subject.names.values())
    }
    if "NotPrincipal" in s:
        is_out = [bool(names & listed) for names in mine.values()]
        met = not (is_out and all(is_out)) if s["Effect"] == "Deny" else bool(is_out) and not any(is_out)
        return {Grant.EVERYBODY} if met else set()
    named = {grant for grant, names in mine.items() if names & listed}
    if ("AWS", "*") in listed and (mine or s["Effect"] == "Deny"):
        named.add(Grant.EVERYBODY)
    return named


def _holds(operator: str, given: tuple[str, ...], wanted: list[Any], context: Values, *, variables: bool) -> bool:
    quantifier, _, name = operator.rpartition(":")
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted]
    if name == "Null":
        return ("false" if given else "true") in [text.lower() for text in texts]
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    is_not = "Not" in name
    compare = _compare(name.replace("Not", ""), context, variables=variables)
    each = [any(compare(text, value) for text in texts) for value in given]
    if quantifier == "ForAllValues":
        return all(match is not is_not for match in each)
    if quantifier == "ForAnyValue":
        return any(match is not is_not for match in each)
    if not given:
        return if_exists or is_not
    return any(each) is not is_not


def _compare(name: str, context: Values, *, variables: bool) -> Callable[[str, str], bool]:
    def text(wanted: str, value: str) -> bool:
        return _is_like(wanted, value, context, variables=variables, wildcards=False)

    def any_case(wanted: str, value: str) -> bool:
        pattern = _regex(wanted, context, variables=variables, wildcards=False)
        return pattern is not None and re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None

    def arn(wanted: str, value: str) -> bool:
        if not wanted.startswith("arn:"):
            return _is_like(wanted, value, context, variables=variables)
        return wanted.count(":") > 4 and _is_arn(wanted, value, context, variables=variables)

    def address(wanted: str, value: str) -> bool:
        network, own = ipaddress.ip_network(wanted, strict=False), ipaddress.ip_address(value)
        return network.version == own.version and own in network

    def bytes_of(wanted: str, value: str) -> bool:
        return base64.b64decode(wanted) == base64.b64decode(value)

    simple = {
        "StringEquals": text,
        "StringEqualsIgnoreCase": any_case,
        "Bool": any_case,
        "ArnEquals": arn,
        "ArnLike": arn,
        "IpAddress": address,
        "BinaryEquals": bytes_of,
    }
    if name in simple:
        return simple[name]
    if name == "StringLike":
        return lambda wanted, value: _is_like(wanted, value, context, variables=variables)
    convert: Callable[[str], Any] = float if name.startswith("Numeric") else _date
    order = name.removeprefix("Numeric").removeprefix("Date")
    return lambda wanted, value: {
        "Equals": convert(value) == convert(wanted),
        "LessThan": convert(value) < convert(wanted),
        "LessThanEquals": convert(value) <= convert(wanted),
        "GreaterThan": convert(value) > convert(wanted),
        "GreaterThanEquals": convert(value) >= convert(wanted),
    }[order]


def _date(text: str) -> float:
    return (
        float(text) if text.isdigit() else datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    )


def _is_arn(wanted: str, arn: str, context: Values, *, variables: bool) -> bool:
    if wanted == "*":
        return True
    hidden, found = wanted, list[str]()
    if variables:
        found = re.findall(r"\$\{[^}]*\}", wanted)
        for index, variable in enumerate(found):
            hidden = hidden.replace(variable, chr(0xE000 + index), 1)
    segments = hidden.split(":", 5)
    for index, variable in enumerate(found):
        segments = [segment.replace(chr(0xE000 + index), variable) for segment in segments]
    parts = arn.split(":", 5)
    return len(parts) == 6 and all(
        _is_like(segment, part, context, variables=variables)
        for segment, part in zip([*segments, *["*"] * (6 - len(segments))], parts, strict=True)
    )


def _is_like(wanted: str, value: str, context: Values, *, variables: bool, wildcards: bool = True) -> bool:
    pattern = _regex(wanted, context, variables=variables, wildcards=wildcards)
    return pattern is not None and re.fullmatch(pattern, value, re.DOTALL) is not None


def _regex(wanted: str, context: Values, *, variables: bool, wildcards: bool) -> str | None:
    pattern = ""
    for piece in re.split(r"(\$\{[^}]*\})", wanted) if variables else [wanted]:
        if not (variables and piece.startswith("${") and piece.endswith("}")):
            plain = re.escape(piece)
            pattern += plain.replace(r"\*", ".*").replace(r"\?", ".") if wildcards else plain
            continue
        key, _, default = (part.strip() for part in piece[2:-1].partition(","))
        values = (key,) if key in {"*", "?", "$"} else context.get(key.lower(), (default[1:-1],) if default else ())
        if len(values) != 1:
            return None
        pattern += re.escape(values[0])
    return pattern


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
