"""AWS service models: shapes and operations, read from botocore's data, and ours, when first needed.

The files are read directly: importing botocore's own loader costs 90 ms of every start and brings urllib3 along.

Spec: botocore `docs/source/reference` service-2.json; Smithy 1.0, "Constraint traits".
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

VERSIONS: Final = {
    "ec2": "2016-11-15",
    "ecr": "2015-09-21",
    "entrepot": "2026-11-01",
    "iam": "2010-05-08",
    "kms": "2014-11-01",
    "sts": "2011-06-15",
}
"""The services that we speak, by the name in their directory of botocore, with the API version."""

PARTS: Final = {
    "ec2": """
        CreateTags CreateVpcEndpoint DeleteTags DeleteVpcEndpoints DescribeAvailabilityZones DescribeNetworkInterfaces
        DescribePrefixLists DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeTags
        DescribeVpcEndpointServices DescribeVpcEndpoints DescribeVpcs ModifyVpcEndpoint
        """,
}
"""Of services that are about much more than registries: the operations that we know. The rest is not kept in memory."""

OWN_DATA: Final = Path(__file__).parent / "entrepot" / "data"
"""The model of our own service, laid out as botocore's data are: `AWS_DATA_PATH` may name this directory."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One shape of a model; what it refers to is looked up when asked for, since shapes can be recursive."""

    name: str
    definition: dict[str, Any]
    service: ServiceModel
    location_name: str | None = None
    """What the reference calls it on the wire, where that differs from the member's name."""

    @property
    def kind(self) -> str:
        """Such as `structure`, `list`, `map`, `string`, `integer`, `long`, `double`, `boolean`, `blob`, `timestamp`."""
        return str(self.definition["type"])

    @cached_property
    def members(self) -> dict[str, Shape]:
        """Of a structure: member name to shape, in the model's order."""
        members = self.definition.get("members", {})
        return {name: self.service.resolve(reference) for name, reference in members.items()}

    @cached_property
    def element(self) -> Shape:
        """Of a list: its items; of a map: its values."""
        return self.service.resolve(self.definition["member" if self.kind == "list" else "value"])

    @cached_property
    def key(self) -> Shape:
        """Of a map: its keys."""
        return self.service.resolve(self.definition["key"])

    @property
    def required(self) -> tuple[str, ...]:
        """Of a structure: the members that must be there."""
        return tuple(self.definition.get("required", ()))

    @property
    def minimum(self) -> int | None:
        """Smallest value of a number, least length in characters, items or bytes of anything else."""
        return self.definition.get("min")

    @property
    def maximum(self) -> int | None:
        """Largest value of a number, greatest length in characters, items or bytes of anything else."""
        return self.definition.get("max")

    @property
    def pattern(self) -> str | None:
        """The regular expression as AWS wrote it; it applies to the whole string."""
        return self.definition.get("pattern")

    @property
    def enum(self) -> tuple[str, ...]:
        """The values that a string may have; empty when any."""
        return tuple(self.definition.get("enum", ()))

    @property
    def is_secret(self) -> bool:
        """Whether its values are for nobody's eyes: no message repeats them."""
        return bool(self.definition.get("sensitive", False))


@dataclass(frozen=True, eq=False)
class OperationModel:
    """One operation of a model: the shapes of its input, output and errors."""

    name: str
    input: Shape | None
    output: Shape | None
    errors: frozenset[str]
    """Codes that the model declares."""
    result_wrapper: str | None
    """The element that the Query protocol puts around the result."""


class ServiceModel:
    """One service in one version."""

    def __init__(self, document: dict[str, Any]) -> None:
        metadata = document["metadata"]
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.api_version: str = metadata["apiVersion"]
        self.protocol: str = metadata["protocol"]
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.xml_namespace: str | None = metadata.get("xmlNamespace")
        self._document = document
        self._shapes: dict[tuple[str, str | None], Shape] = {}
        self._operations: dict[str, OperationModel] = {}

    @property
    def operation_names(self) -> list[str]:
        """Every operation, sorted."""
        return sorted(self._document["operations"])

    @property
    def shape_names(self) -> list[str]:
        """Every shape, sorted."""
        return sorted(self._document["shapes"])

    def resolve(self, reference: dict[str, Any]) -> Shape:
        """The shape behind a reference such as `{"shape": "RepositoryName"}`."""
        key = (reference["shape"], reference.get("locationName"))
        if key not in self._shapes:
            self._shapes[key] = Shape(key[0], self._document["shapes"][key[0]], self, key[1])
        return self._shapes[key]

    def operation(self, name: str) -> OperationModel:
        """Look an operation up.

        Raises:
            KeyError: the model has none of that name.
        """
        if name not in self._operations:
            self._operations[name] = self._read_operation(name, self._document["operations"][name])
        return self._operations[name]

    def _read_operation(self, name: str, definition: dict[str, Any]) -> OperationModel:
        taken = self.resolve(definition["input"]) if "input" in definition else None
        given = self.resolve(definition["output"]) if "output" in definition else None
        errors = frozenset(self._error_code(error["shape"]) for error in definition.get("errors", ()))
        return OperationModel(name, taken, given, errors, definition.get("output", {}).get("resultWrapper"))

    def _error_code(self, shape_name: str) -> str:
        return str(self._document["shapes"][shape_name].get("error", {}).get("code", shape_name))


def _part(document: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """A model of some operations, and of the shapes that they need."""
    kept = {name: document["operations"][name] for name in operations}
    waiting, shapes = _references(list(kept.values())), dict[str, Any]()
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = document["shapes"][name]
            waiting |= _references(shapes[name])
    return {**document, "operations": kept, "shapes": shapes}


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set[str]().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["shape"]} if isinstance(value.get("shape"), str) else set[str]()
    return own.union(*map(_references, value.values()))


@lru_cache
def service_model(name: str, version: str | None = None) -> ServiceModel:
    """Read a service's model, once per process.

    Raises:
        KeyError: not a service that we speak, and no version given.
    """
    document = _read_json(f"{name}/{version or VERSIONS[name]}/service-2.json")
    return ServiceModel(_part(document, PARTS[name].split()) if name in PARTS else document)


@lru_cache
def known_regions() -> frozenset[str]:
    """Every AWS region that botocore knows, of all partitions, without the pseudo regions such as `aws-global`."""
    partitions = _read_json("partitions.json")["partitions"]
    return frozenset(r for part in partitions for r in part["regions"] if not r.endswith("-global"))


def _read_json(path: str) -> dict[str, Any]:
    plain = OWN_DATA / path
    if not plain.exists():
        plain = _data_directory() / path
    packed = plain.with_name(plain.name + ".gz")
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    document: dict[str, Any] = json.loads(raw)
    return document


@lru_cache
def _data_directory() -> Path:
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore is not installed")
    return Path(spec.origin).parent / "data"
