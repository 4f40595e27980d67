"""Broken constraints: the sentence in which each service says that a parameter breaks a rule of its shape.

    ecr  Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression …'
    iam  1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must have length …
         The specified value for userName is invalid. It must contain only alphanumeric characters and/or …
    sts  1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must …
    kms  as sts, but without values that are secret
    ec2  The request must contain the parameter VpcId

The framework names members with a small first letter, which those of KMS and of the Query protocol do not have. IAM
leaves values out, and checks names and paths itself.

Spec: none is published; answers of AWS as people quote them in public tests and issue threads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from entrepot.transport.aws.error import RequestFault, invalid_parameter, validation_error
from entrepot.transport.aws.wording import ecr_words

if TYPE_CHECKING:
    from entrepot.transport.aws.model import OperationModel
    from entrepot.transport.aws.validate import ConstraintBroken

_FIRST_LETTER: Final = re.compile(r"(?:^|(?<=\.))[A-Z]")
_LIST_ITEM: Final = re.compile(r"\.\d+\.member$")
_PATTERN: Final = "Member must satisfy regular expression pattern: "
_ABSENT: Final = "Member must not be null"
_EMPTY: Final = "Member must have length greater than or equal to 1"

_OF_NAMES: Final = {
    "Name": "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    "Path": "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    "PathPrefix": ("It must begin with the / character and contain only alphanumeric characters and/or / characters."),
}
"""What IAM says of names and paths, by what the member's name ends with."""


def constraint_fault(service: str, operation: OperationModel, broken: ConstraintBroken) -> RequestFault:
    """What a caller of a service's operation is told."""
    if service == "iam":
        return RequestFault("ValidationException", iam_sentence(*_of_whole_list(broken)))
    if service in ("kms", "sts"):
        return RequestFault("ValidationException", _framework_sentence(broken))
    if service == "ec2":
        return _ec2_fault(broken)
    if "InvalidParameterException" in operation.errors:
        return RequestFault("InvalidParameterException", invalid_parameter(*ecr_words(broken.path, broken.rule)))
    return RequestFault("ValidationException", validation_error(broken.path, broken.rule, broken.value))


def _ec2_fault(broken: ConstraintBroken) -> RequestFault:
    name = _LIST_ITEM.sub("", broken.path)
    if broken.rule == _ABSENT:
        return RequestFault("MissingParameter", f"The request must contain the parameter {name}")
    shown = str(broken.value)[:256]
    return RequestFault("InvalidParameterValue", f"Value ({shown}) for parameter {name} is invalid. {broken.rule}")


def iam_sentence(path: str, rule: str) -> str:
    """IAM's sentence for what the framework calls `rule` at `path`."""
    member = _with_small_letters(path)
    own = next((words for ending, words in _OF_NAMES.items() if path.endswith(ending)), None)
    if own is not None and (rule.startswith(_PATTERN) or rule == _EMPTY):
        return f"The specified value for {member} is invalid. {own}"
    return validation_error(member, rule)


def _framework_sentence(broken: ConstraintBroken) -> str:
    path, rule = _of_whole_list(broken)
    if broken.is_secret:
        return validation_error(_with_small_letters(path), rule)
    value = broken.value if broken.items is None else f"[{', '.join(map(str, broken.items))}]"
    return validation_error(_with_small_letters(path), rule, value)


def _of_whole_list(broken: ConstraintBroken) -> tuple[str, str]:
    """Path and rule; where a text in a list breaks one of its rules, all but ECR name the list and all of the rules."""
    if broken.item_rules is None:
        return broken.path, broken.rule
    return _LIST_ITEM.sub("", broken.path), f"Member must satisfy constraint: [{broken.item_rules}]"


def _with_small_letters(path: str) -> str:
    return _FIRST_LETTER.sub(lambda letter: letter[0].lower(), path)
