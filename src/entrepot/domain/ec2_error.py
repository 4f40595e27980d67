"""What EC2 refuses: errors of its own beside those of `error.py`.

Spec: EC2 API, "Error codes for the Amazon EC2 API". `transport/aws/ec2/error.py` has code, status and words of each.
"""

from __future__ import annotations

from entrepot.domain.error import RegistryError


class Ec2Error(RegistryError):
    """A refusal of EC2; the data plane never meets one."""


class EndpointNotFound(Ec2Error):
    """No VPC endpoint of the account in the region has that id."""

    def __init__(self, id: str) -> None:  # noqa: A002 (what it is)
        super().__init__(id)
        self.id = id


class Ec2IdMalformed(Ec2Error):
    """An id that does not have the form of those of its `kind`, such as `subnet`; no kind: of anything."""

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002 (what it is)
        super().__init__(kind, id)
        self.kind, self.id = kind, id


class InterfaceNotFound(Ec2Error):
    """No endpoint has a network interface of that id."""

    def __init__(self, id: str) -> None:  # noqa: A002 (what it is)
        super().__init__(id)
        self.id = id


class ServiceNameUnknown(Ec2Error):
    """No endpoints can be made for a service of that name in the region."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Ec2ParameterMissing(Ec2Error):
    """A parameter must be there that the model does not require."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Ec2ParameterInvalid(Ec2Error):
    """A parameter, or several together, cannot be; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Ec2ValueInvalid(Ec2Error):
    """The value of a parameter cannot be; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class EndpointPolicyInvalid(Ec2Error):
    """Not a policy of an endpoint; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class AddressesUsedUp(Ec2Error):
    """Every address that the operator has given the subnet belongs to an endpoint."""

    def __init__(self, subnet_id: str) -> None:
        super().__init__(subnet_id)
        self.subnet_id = subnet_id


class ClientTokenReused(Ec2Error):
    """The token was sent before, with other parameters."""

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.token = token


class EndpointLimitExceeded(Ec2Error):
    """The account has as many endpoints in the region as it can have."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Ec2TagLimitExceeded(Ec2Error):
    """A resource would have more tags than it can have."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class DryRunSucceeded(Ec2Error):
    """The request was only a question: it would have been done."""
