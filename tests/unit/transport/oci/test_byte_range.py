"""Ranges asked for and ranges sent."""

import pytest

from entrepot.transport.oci.byte_range import Span, Unsatisfiable, chunk, requested


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=500-1499", Span(500, 1500)),
        ("Bytes = 500 - 1499", Span(500, 1500)),
        ("bytes=500-", Span(500, 2048)),
        ("bytes=-500", Span(1548, 2048)),
        ("bytes=-9999", Span(0, 2048)),
        ("bytes=2000-5000", Span(2000, 2048)),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "9" * 500 + "-", None),
    ],
)
def test_requested(header: str | None, span: Span | None) -> None:
    assert requested(header, 2048) == span


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=500-0", 2048), ("bytes=5000-10000", 2048), ("bytes=2048-", 2048), ("bytes=-0", 2048), ("bytes=0-", 0)],
)
def test_unsatisfiable(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        requested(header, size)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("0-99", Span(0, 100)),
        ("bytes 0-99/1000", Span(0, 100)),
        ("bytes 0-99/*", Span(0, 100)),
        (" 5-5 ", Span(5, 6)),
        ("9-5", None),
        ("5-", None),
        ("-5", None),
        ("", None),
        ("0-1-2", None),
    ],
)
def test_chunk(header: str, span: Span | None) -> None:
    assert chunk(header) == span
