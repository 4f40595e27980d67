"""AWS's managed policies as the settings mean them: those of the package, and those of the operator's file."""

from __future__ import annotations

from pathlib import Path

from entrepot.domain.managed_policy import AwsPolicies
from entrepot.store.aws_policy import AwsPoliciesInvalid, package_policies, with_file


class AwsPolicyError(Exception):
    """The file cannot be used; the text is one line for the operator."""


def load_aws_policies(path: Path | None) -> AwsPolicies:
    """Read them.

    Raises:
        AwsPolicyError: no such file, or not what AWS prints.
    """
    if path is None:
        return package_policies()
    try:
        return with_file(package_policies(), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AwsPolicyError(f"the file of `aws_policies` cannot be read: {error}") from error
    except AwsPoliciesInvalid as error:
        raise AwsPolicyError(f"{path} cannot be used as `aws_policies`: {error}") from error
