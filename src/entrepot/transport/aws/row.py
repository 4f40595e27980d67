"""Rows of the table of operations: handler, IAM action and resource of one operation of one service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from entrepot.auth.condition_key import Values
from entrepot.domain.limit import LAYER_PART_BYTES_MAX, MANIFEST_BYTES_MAX, MIB
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.resource import ResourceKind

if TYPE_CHECKING:
    from entrepot.domain.principal import Session

BODY_BYTES_MAX: Final = MIB
"""Largest body of an operation that has no row of its own below: far above every limit of its shape."""

_ENVELOPE: Final = 64 * 1024
"""Room for the members beside the large one."""

BODY_BYTES_MAX_OF: Final = {
    # Base64 with its slashes escaped, and one past the limit must still be told as such.
    ("ecr", "UploadLayerPart"): LAYER_PART_BYTES_MAX * 4 // 3 + 2 * MIB,
    # JSON may spell every character of the manifest as \uXXXX.
    ("ecr", "PutImage"): MANIFEST_BYTES_MAX * 6 + _ENVELOPE,
}


@dataclass(frozen=True, slots=True)
class Beside:
    """Another action, on another resource, that an operation needs as well."""

    action: str
    resource: ResourceKind
    keys_of: Callable[[dict[str, Any]], Mapping[str, Values]]
    """The condition keys of that question alone, from the parameters."""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one service."""

    service: str
    name: str
    resource: ResourceKind
    handler: Handler | None
    action: str
    also: tuple[tuple[str, str], ...] = ()
    """Further actions, each with the member whose presence demands it."""

    handed_on: tuple[tuple[str, Callable[[Session], object]], ...] = ()
    """Further actions, each with what demands it if the caller's session has it and so hands it on."""

    beside: tuple[Beside, ...] = ()
    new_place: tuple[str, str] | None = None
    """Members that move and rename an entity of IAM: who moves it must be allowed to do so there too."""

    def actions(self, parameters: dict[str, Any], session: Session | None) -> tuple[str, ...]:
        """All that the caller, perhaps in a session, must be allowed to call the operation with these parameters."""
        given = [action for action, member in self.also if parameters.get(member)]
        handed_on = [action for action, part in self.handed_on if session is not None and part(session)]
        return tuple(dict.fromkeys([self.action, *given, *handed_on]))

    @property
    def needs(self) -> str:
        """All that can be asked of the caller, in Markdown."""
        given = [f"`{action}` with `{member}`" for action, member in self.also]
        beside = [f"`{other.action}` on the {other.resource}" for other in self.beside]
        return ", ".join([f"`{self.action}`", *given, *beside])

    async def answer(self, call: Call) -> dict[str, Any]:
        """Run the handler of a row that has one."""
        if self.handler is None:
            raise LookupError(self.name)
        return await self.handler(call)

    @property
    def body_bytes_max(self) -> int:
        """Bytes of the largest body that is read."""
        return BODY_BYTES_MAX_OF.get((self.service, self.name), BODY_BYTES_MAX)


def row(
    service: str,
    name: str,
    resource: ResourceKind,
    handler: Handler | None = None,
    *,
    action: str | None = None,
    also: tuple[tuple[str, str], ...] = (),
    handed_on: tuple[tuple[str, Callable[[Session], object]], ...] = (),
    beside: tuple[Beside, ...] = (),
) -> Row:
    """A row whose action is named as the operation is, unless another is given."""
    return Row(service, name, resource, handler, f"{service}:{action or name}", also, handed_on, beside)
