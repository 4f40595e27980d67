"""Tables of private endpoints: the endpoints, what operators say of subnets, and tags of EC2."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, false

from entrepot.store.metadata.schema.account import account
from entrepot.store.metadata.schema.base import Long, Name, metadata

network = Table(
    "network",
    metadata,
    Column("id", Integer, primary_key=True),  # there is one row, 1
    Column("epoch", Long, nullable=False),  # raised by each change of what is listened on, which locks the row
)

vpc_subnet = Table(
    "vpc_subnet",
    metadata,
    Column("account_id", Name, ForeignKey(account.c.id), primary_key=True),
    Column("region", Name, primary_key=True),
    Column("subnet_id", Name, primary_key=True),
    Column("vpc_id", Name, nullable=False),
    Column("zone", Name, nullable=False),  # availability zone, for those who ask
    Column("cidrs", Text, nullable=False),  # JSON list: where the clients are
    Column("addresses", Text, nullable=False),  # JSON list of URLs that endpoints can listen on
    Index(None, "vpc_id"),
)

vpc_endpoint = Table(
    "vpc_endpoint",
    metadata,
    Column("id", Name, primary_key=True),  # vpce-…
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("region", Name, nullable=False),
    Column("vpc_id", Name, nullable=False),
    Column("service", Name, nullable=False),  # such as ecr.api
    Column("type", Name, nullable=False),  # Interface, Gateway
    Column("policy", Text),  # as it was written; NULL: everything is let through
    Column("policy_principals", Text),  # JSON object: each user's or role's ARN in it, its unique id
    Column("options", Text, nullable=False),  # JSON object: security groups, route tables, DNS
    Column("epoch", Long, nullable=False),  # raised by each change of the endpoint
    Column("is_deleting", Boolean, nullable=False, server_default=false()),
    Column("client_token", Name),
    Column("request_hash", Name),  # of the request that came with the token
    Column("created_at", Long, nullable=False),
    UniqueConstraint("account_id", "region", "client_token"),
)

vpc_endpoint_subnet = Table(
    "vpc_endpoint_subnet",
    metadata,
    Column("endpoint_id", Name, ForeignKey(vpc_endpoint.c.id), primary_key=True),
    Column("subnet_id", Name, primary_key=True),
    Column("interface_id", Name, nullable=False),  # eni-…
    Column("address", Name),  # URL that is listened on; NULL: the operator has given the subnet none
    Column("is_listening", Boolean, nullable=False, server_default=false()),  # every worker has begun
    Column("problem", Text),  # why it is not listened on
    UniqueConstraint("address"),
    UniqueConstraint("interface_id"),
)

ec2_tag = Table(
    "ec2_tag",
    metadata,
    Column("account_id", Name, ForeignKey(account.c.id), primary_key=True),
    Column("region", Name, primary_key=True),
    Column("resource_id", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("value", Text, nullable=False),
)
