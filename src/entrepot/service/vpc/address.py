"""Addresses of endpoints: each belongs to one endpoint, out of those that an operator has given its subnet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from entrepot.domain.ec2_error import AddressesUsedUp, Ec2ParameterInvalid
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_subnet import VpcSubnet, host_of
from entrepot.store.metadata.network import find_subnet
from entrepot.store.metadata.vpc_endpoint import used_addresses


def take_addresses(
    connection: Connection, owner: Registry, vpc_id: str, subnet_ids: Iterable[str], wanted: Mapping[str, str]
) -> dict[str, str]:
    """A free address in each subnet that has any, by subnet id. The caller holds the network.

    Raises:
        AddressesUsedUp: a subnet's belong to endpoints already.
        Ec2ParameterInvalid: a subnet of another VPC, or a wanted address that is not free there.
    """
    used = used_addresses(connection)
    taken: dict[str, str] = {}
    for subnet_id in subnet_ids:
        subnet = find_subnet(connection, owner, subnet_id)
        if subnet is None or not subnet.addresses:
            continue
        if subnet.vpc_id != vpc_id:
            raise Ec2ParameterInvalid(f"The subnet '{subnet_id}' does not belong to the VPC '{vpc_id}'")
        taken[subnet_id] = _free(subnet, used, wanted.get(subnet_id))
        used.add(taken[subnet_id])
    return taken


def _free(subnet: VpcSubnet, used: set[str], wanted: str | None) -> str:
    free = [one for one in subnet.addresses if one not in used]
    if wanted is not None:
        free = [one for one in free if host_of(one) == wanted]
        if not free:
            raise Ec2ParameterInvalid(f"The address '{wanted}' is not free in the subnet '{subnet.id}'")
    if not free:
        raise AddressesUsedUp(subnet.id)
    return free[0]
