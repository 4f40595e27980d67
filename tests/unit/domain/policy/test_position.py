"""Positions of statements in documents as people write them."""

from __future__ import annotations

import json

import pytest

from entrepot.domain.policy.position import statement_spans

ONE_LINE = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}'
)
LINES = """
{
  "Statement": [
    {"Sid": "]}{[,\\"", "Effect": "Allow"},
    {
      "Effect": "Deny"
    } ,{}
  ],
  "Id": "Statement"
}"""


def test_the_example_of_aws() -> None:
    (span,) = statement_spans(ONE_LINE)
    assert (span.start, span.end) == ((1, 38), (1, 167))


def test_several_lines_and_brackets_in_texts() -> None:
    spans = [(*span.start, *span.end) for span in statement_spans(LINES)]
    assert spans == [(4, 6, 4, 42), (5, 6, 7, 6), (7, 9, 7, 10)]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
def test_what_stands_there_is_the_statement(indent: int | None) -> None:
    statements = [{"Sid": "a", "Action": ["ecr:*"]}, {"Sid": "b", "Condition": {"Null": {"aws:x": "true"}}}]
    text = json.dumps({"Id": "{[", "Statement": statements, "Version": "2012-10-17"}, indent=indent)
    lines = text.split("\n")

    def offset(line: int, column: int) -> int:
        return sum(len(one) + 1 for one in lines[: line - 1]) + column - 2

    found = [text[offset(*span.start) : offset(*span.end) + 1] for span in statement_spans(text)]
    assert [json.loads(one) for one in found] == statements


def test_no_statement() -> None:
    assert statement_spans("{}") == []
