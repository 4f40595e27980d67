"""Policy texts in ECR's own form."""

from __future__ import annotations

import json

import pytest

from entrepot.transport.aws.ecr.policy_text import policy_text


def test_the_form_is_that_of_ecr() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "new statement",
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "222222222222"]},
                "Action": ["ecr:BatchGetImage", "ecr:ListImages"],
            },
            {"Effect": "Deny", "Principal": "*", "Action": "ecr:PutImage", "Condition": {}},
        ],
    }
    assert policy_text(json.dumps(document)) == (
        """{
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Sid" : "new statement",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : [ "arn:aws:iam::111111111111:root", "222222222222" ]
    },
    "Action" : [ "ecr:BatchGetImage", "ecr:ListImages" ]
  }, {
    "Effect" : "Deny",
    "Principal" : "*",
    "Action" : "ecr:PutImage",
    "Condition" : { }
  } ]
}"""
    )


@pytest.mark.parametrize(
    "value", [[], [[]], True, None, 1.5, 12345678901234567890, 'quote " and \\ and \n', "größe 😀", "\ud800 alone"]
)
def test_nothing_is_lost_and_everything_can_be_sent(value: object) -> None:
    text = policy_text(json.dumps({"key": value}))
    assert json.loads(text.encode()) == {"key": value}
