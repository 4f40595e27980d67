"""Comparisons: what the values of a condition are compared by; each family makes one test of all values of a key.

Spec: IAM user guide, "IAM JSON policy elements: Condition operators". A value that is not of its family's form, such
as a number that is none, matches nothing.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from entrepot.domain.policy.resource import ArnPattern
from entrepot.domain.policy.template import Context, Template, parts_of

Test = Callable[[str, Context], bool]
"""Whether a value of the request equals, or is like, any value of the policy."""

Order = Callable[[Any, Any], bool]
"""Which of two comparable values may come first."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?"
)
_ARN_COLONS = 5
_MAPPED_BITS = 96
"""Of an IPv6 address that carries an IPv4 address: the bits before it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def equals(texts: Iterable[str], *, variables: bool) -> Test:
    """Equal texts."""
    return _texts([Template(parts_of(text, variables=variables, wildcards=False)) for text in texts])


def equals_ignoring_case(texts: Iterable[str], *, variables: bool) -> Test:
    """Equal texts, whatever the case."""
    templates = [Template(parts_of(text, variables=variables, wildcards=False)) for text in texts]
    exact = {
        template.fixed.exact.casefold() for template in templates if template.fixed and template.fixed.exact is not None
    }
    rest = [template for template in templates if not template.fixed]

    def test(value: str, context: Context) -> bool:
        folded = value.casefold()
        if folded in exact:
            return True
        patterns = (template.pattern(context) for template in rest)
        return any(pattern is not None and folded == (pattern.exact or "").casefold() for pattern in patterns)

    return test


def like(texts: Iterable[str], *, variables: bool) -> Test:
    """Texts with wildcards."""
    return _texts([Template(parts_of(text, variables=variables, wildcards=True)) for text in texts])


def arn_like(texts: Iterable[str], *, variables: bool) -> Test:
    """ARNs, segment by segment, with wildcards; one that is cut short matches nothing.

    What does not begin as an ARN, such as `*` or a variable, is compared as a text.
    """
    arns = [ArnPattern(text, variables=variables) for text in texts if _is_whole(text)]
    is_other = like([text for text in texts if not text.startswith("arn:")], variables=variables)

    def test(value: str, context: Context) -> bool:
        return any(pattern.matches(value, context) for pattern in arns) or is_other(value, context)

    return test


def truth(texts: Iterable[str], *, variables: bool) -> Test:
    """`true` and `false`, in any case."""
    return equals_ignoring_case(texts, variables=variables)


def number(order: Order) -> Callable[..., Test]:
    """Decimal numbers in an order."""
    return _ordered(number_of, order)


def date(order: Order) -> Callable[..., Test]:
    """Dates in an order."""
    return _ordered(date_of, order)


def binary(texts: Iterable[str], *, variables: bool) -> Test:  # noqa: ARG001 (AWS fills variables into texts and ARNs)
    """Bytes, written as base64 on both sides."""
    wanted = {content for text in texts if (content := _binary_of(text)) is not None}
    return lambda value, _: _binary_of(value) in wanted


def address(texts: Iterable[str], *, variables: bool) -> Test:  # noqa: ARG001 (AWS fills variables into texts and ARNs)
    """An IP address within any of the networks."""
    networks = [network for text in texts if (network := _network_of(text)) is not None]

    def test(value: str, _: Context) -> bool:
        own = _network_of(value)
        return own is not None and any(own.is_within(network) for network in networks)

    return test


def number_of(text: str) -> Decimal | None:
    """A number without exponent, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def date_of(text: str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 date (four digits are a year) or of seconds since 1970, or None."""
    found = _DATE.fullmatch(text)
    if not found:
        seconds = number_of(text)
        return None if seconds is None else int(seconds * 1_000_000)
    year, month, day, hour, minute, second = (
        int(field or least) for field, least in zip(found.groups(), "011000", strict=False)
    )
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone(found[8]))
        micros = (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
    return micros + int((found[7] or "").ljust(6, "0")[:6])


def _is_whole(text: str) -> bool:
    return text.startswith("arn:") and text.count(":") >= _ARN_COLONS


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(offset if text[0] == "+" else -offset)


def _texts(templates: list[Template]) -> Test:
    """A set of what is fixed and exact, one look whatever its size; the rest one by one."""
    exact = frozenset(t.fixed.exact for t in templates if t.fixed and t.fixed.exact is not None)
    rest = [t for t in templates if not (t.fixed and t.fixed.exact is not None)]
    if not rest:
        return lambda value, _: value in exact
    return lambda value, context: value in exact or any(template.matches(value, context) for template in rest)


def _ordered(parse: Callable[[str], Any], order: Order) -> Callable[..., Test]:
    def build(texts: Iterable[str], *, variables: bool) -> Test:  # noqa: ARG001 (AWS fills variables into texts and ARNs)
        limits = [limit for text in texts if (limit := parse(text)) is not None]

        def test(value: str, _: Context) -> bool:
            own = parse(value)
            return own is not None and any(order(own, limit) for limit in limits)

        return test

    return build


def _binary_of(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


class _Network(NamedTuple):
    """A network, or an address as the smallest of networks."""

    version: int
    number: int
    mask: int

    def is_within(self, other: _Network) -> bool:
        """Whether all of it is in the other."""
        is_smaller = self.version == other.version and self.mask & other.mask == other.mask
        return is_smaller and self.number & other.mask == other.number


@lru_cache(maxsize=1024)  # statements ask for the one address of a request again and again
def _network_of(text: str) -> _Network | None:
    """An address or a network; IPv4 written as IPv6 counts as IPv4."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        network = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS))
    return _Network(network.version, int(network.network_address), int(network.netmask))


FAMILIES: dict[str, Callable[..., Test]] = {
    "stringequals": equals,
    "stringequalsignorecase": equals_ignoring_case,
    "stringlike": like,
    "numericequals": number(operator.eq),
    "numericlessthan": number(operator.lt),
    "numericlessthanequals": number(operator.le),
    "numericgreaterthan": number(operator.gt),
    "numericgreaterthanequals": number(operator.ge),
    "dateequals": date(operator.eq),
    "datelessthan": date(operator.lt),
    "datelessthanequals": date(operator.le),
    "dategreaterthan": date(operator.gt),
    "dategreaterthanequals": date(operator.ge),
    "bool": truth,
    "binaryequals": binary,
    "ipaddress": address,
    "arnequals": arn_like,
    "arnlike": arn_like,
}
"""Operators in lower case, each with the comparison that it asks for."""

NEGATED: dict[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}
"""Negated operators, each with the one that it denies."""
