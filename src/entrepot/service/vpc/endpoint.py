"""VPC endpoints: made, listed, changed and deleted.

Spec: EC2 API, CreateVpcEndpoint, ModifyVpcEndpoint, DeleteVpcEndpoints, DescribeVpcEndpoints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from entrepot.domain.ec2_error import (
    ClientTokenReused,
    Ec2ParameterInvalid,
    EndpointLimitExceeded,
    EndpointNotFound,
    EndpointPolicyInvalid,
)
from entrepot.domain.limit import VPC_ENDPOINTS_MAX
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import EndpointOptions, EndpointService, EndpointType, Interface, VpcEndpoint
from entrepot.service.context import Context
from entrepot.service.saved_policy import find_principals, show
from entrepot.service.vpc.address import take_addresses
from entrepot.store.metadata import vpc_endpoint as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.ec2_tag import delete_ec2_tags, list_tags_by_resource, put_ec2_tags
from entrepot.store.metadata.network import raise_network_epoch

_ID_BYTES = 9


@dataclass(frozen=True, slots=True)
class NewVpcEndpoint:
    """An endpoint that is to be made."""

    owner: Registry
    vpc_id: str
    service: EndpointService
    type: EndpointType
    policy: str | None = None
    subnet_ids: tuple[str, ...] = ()
    wanted_addresses: Mapping[str, str] = field(default_factory=dict)
    """IP addresses by subnet, where one is asked for."""
    options: EndpointOptions = field(default_factory=EndpointOptions)
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: str | None = None

    def hash(self) -> str:
        """Equal for equal requests."""
        return hashlib.sha256(repr(replace(self, client_token=None)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What is to be changed of an endpoint; None: nothing."""

    policy: str | None = None
    resets_policy: bool = False
    added_subnets: tuple[str, ...] = ()
    removed_subnets: tuple[str, ...] = ()
    wanted_addresses: Mapping[str, str] = field(default_factory=dict)
    added_groups: tuple[str, ...] = ()
    removed_groups: tuple[str, ...] = ()
    added_route_tables: tuple[str, ...] = ()
    removed_route_tables: tuple[str, ...] = ()
    has_private_dns: bool | None = None
    ip_address_type: str | None = None
    dns_record_ip_type: str | None = None

    def apply(self, options: EndpointOptions) -> EndpointOptions:
        """The options as they are then."""
        private = options.has_private_dns if self.has_private_dns is None else self.has_private_dns
        return EndpointOptions(
            _change(options.group_ids, self.added_groups, self.removed_groups),
            _change(options.route_table_ids, self.added_route_tables, self.removed_route_tables),
            private,
            self.ip_address_type or options.ip_address_type,
            self.dns_record_ip_type or options.dns_record_ip_type,
        )


@dataclass(frozen=True, slots=True)
class ShownEndpoint:
    """An endpoint as it is shown."""

    endpoint: VpcEndpoint
    policy: str | None
    """With the names of today; None: everything is let through."""
    tags: Mapping[str, str]


class VpcEndpointService:
    """What can be done with endpoints."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(self, new: NewVpcEndpoint) -> ShownEndpoint:
        """Make an endpoint, or find the one that the same request with the same token made.

        Raises:
            ClientTokenReused, EndpointLimitExceeded, EndpointPolicyInvalid, Ec2ParameterInvalid, AddressesUsedUp
        """
        hashed = new.hash() if new.client_token else None

        def change(connection: Connection) -> ShownEndpoint:
            raise_network_epoch(connection)
            made = _made_before(connection, new, hashed)
            if made is None:
                made = self._make(connection, new)
                rows.insert_endpoint(connection, made, new.client_token, hashed)
                put_ec2_tags(connection, new.owner, made.id, new.tags)
            return _shown(connection, made, new.tags)

        return await self._database.write(change)

    def _make(self, connection: Connection, new: NewVpcEndpoint) -> VpcEndpoint:
        if len(rows.list_endpoints(connection, new.owner)) >= VPC_ENDPOINTS_MAX:
            raise EndpointLimitExceeded(VPC_ENDPOINTS_MAX)
        return VpcEndpoint(
            f"vpce-{self._new_id()}",
            new.owner,
            new.vpc_id,
            new.service,
            new.type,
            None if new.policy is None else _saved(connection, new.policy),
            new.options,
            self._interfaces(connection, new, new.subnet_ids, new.wanted_addresses),
            is_deleting=False,
            created_at=self._context.now(),
        )

    def _interfaces(
        self, connection: Connection, of: NewVpcEndpoint | VpcEndpoint, ids: Sequence[str], wanted: Mapping[str, str]
    ) -> tuple[Interface, ...]:
        is_used = of.service.host is not None
        addresses = take_addresses(connection, of.owner, of.vpc_id, ids, wanted) if is_used else {}
        return tuple(Interface(subnet_id, f"eni-{self._new_id()}", addresses.get(subnet_id)) for subnet_id in ids)

    def _new_id(self) -> str:
        return self._context.random_bytes(_ID_BYTES).hex()[:17]

    async def list(self, owner: Registry) -> list[ShownEndpoint]:
        """All endpoints of an account in a region, by id."""

        def query(connection: Connection) -> list[ShownEndpoint]:
            tags = list_tags_by_resource(connection, owner)
            found = rows.list_endpoints(connection, owner)
            return [_shown(connection, one, tags.get(one.id, {})) for one in found]

        return await self._database.read(query)

    async def modify(self, owner: Registry, endpoint_id: str, wanted: EndpointChange) -> VpcEndpoint:
        """Change an endpoint; its policy holds from the next request on.

        Raises:
            EndpointNotFound, EndpointPolicyInvalid, Ec2ParameterInvalid, AddressesUsedUp
        """

        def change(connection: Connection) -> VpcEndpoint:
            raise_network_epoch(connection)
            endpoint = _find(connection, owner, endpoint_id)
            self._change_subnets(connection, endpoint, wanted)
            policy = endpoint.policy if wanted.policy is None else _saved(connection, wanted.policy)
            changed = replace(
                endpoint,
                policy=None if wanted.resets_policy else policy,
                options=wanted.apply(endpoint.options),
                epoch=endpoint.epoch + 1,
            )
            rows.update_endpoint(connection, changed)
            return changed

        return await self._database.write(change)

    def _change_subnets(self, connection: Connection, endpoint: VpcEndpoint, wanted: EndpointChange) -> None:
        there = {one.subnet_id for one in endpoint.interfaces}
        if missing := [subnet for subnet in wanted.removed_subnets if subnet not in there]:
            raise Ec2ParameterInvalid(f"The subnet '{missing[0]}' is not associated with the endpoint")
        if twice := [subnet for subnet in wanted.added_subnets if subnet in there - set(wanted.removed_subnets)]:
            raise Ec2ParameterInvalid(f"The subnet '{twice[0]}' is already associated with the endpoint")
        rows.delete_interfaces(connection, endpoint.id, wanted.removed_subnets)
        added = self._interfaces(connection, endpoint, wanted.added_subnets, wanted.wanted_addresses)
        rows.insert_interfaces(connection, endpoint.id, added)

    async def delete(self, owner: Registry, endpoint_id: str) -> None:
        """Let nobody in any more; the endpoint goes when no worker listens on its addresses.

        Raises:
            EndpointNotFound: there is none.
        """

        def change(connection: Connection) -> None:
            raise_network_epoch(connection)
            endpoint = _find(connection, owner, endpoint_id)
            if endpoint.addresses:
                rows.update_endpoint(connection, replace(endpoint, is_deleting=True, epoch=endpoint.epoch + 1))
            else:
                forget_endpoint(connection, endpoint)

        await self._database.write(change)


def forget_endpoint(connection: Connection, endpoint: VpcEndpoint) -> None:
    """Remove an endpoint that nobody listens for, with its tags."""
    rows.delete_endpoint(connection, endpoint.id)
    delete_ec2_tags(connection, endpoint.owner, endpoint.id, None)


def _made_before(connection: Connection, new: NewVpcEndpoint, hashed: str | None) -> VpcEndpoint | None:
    if new.client_token is None:
        return None
    found = rows.find_by_token(connection, new.owner, new.client_token)
    if found is None:
        return None
    endpoint, kept = found
    if kept != hashed:
        raise ClientTokenReused(new.client_token)
    return endpoint


def _find(connection: Connection, owner: Registry, endpoint_id: str) -> VpcEndpoint:
    found = rows.find_endpoint(connection, endpoint_id, owner)
    if found is None or found.is_deleting:
        raise EndpointNotFound(endpoint_id)
    return found


def _saved(connection: Connection, text: str) -> SavedPolicy:
    try:
        return SavedPolicy(text, find_principals(connection, parse_policy(text, Kind.ENDPOINT)))
    except PolicyInvalid as error:
        raise EndpointPolicyInvalid(str(error)) from error


def _shown(connection: Connection, endpoint: VpcEndpoint, tags: Mapping[str, str]) -> ShownEndpoint:
    policy = endpoint.policy
    text = None if policy is None else show(connection, policy.document, policy.principals)
    return ShownEndpoint(endpoint, text, dict(tags))


def _change(present: tuple[str, ...], added: Sequence[str], removed: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(one for one in present if one not in removed), *added]))
