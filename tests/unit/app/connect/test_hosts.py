"""The block in the hosts file: there once, gone without a trace."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.app.connect.hosts import BEGIN, END, lines, with_block, without_block

NAMES = ["a.test", "b.test", "c.test", "d.test", "e.test"]


def test_the_lines_of_others_stay_above() -> None:
    text = with_block(b"127.0.0.1 localhost\n", NAMES, "127.0.0.1").decode()
    first, begin, *block, end = text.splitlines()
    assert (first, begin, end) == ("127.0.0.1 localhost", BEGIN.decode(), END.decode())
    assert block == ["127.0.0.1 a.test b.test c.test d.test", "127.0.0.1 e.test"]
    assert "\n".join(block) + "\n" == lines(NAMES, "127.0.0.1")


@given(st.binary(max_size=60))
@example(b"")
@example(b"127.0.0.1 localhost")
@example(b"127.0.0.1 localhost\n\n")
@example(b"\r\n# no end")
def test_undo_restores_every_byte(content: bytes) -> None:
    connected = with_block(content, NAMES, "127.0.0.1")
    assert without_block(connected) == content
    assert with_block(connected, NAMES, "127.0.0.1") == connected


@pytest.mark.parametrize("before", [b"127.0.0.1 localhost", b"127.0.0.1 localhost\n"])
def test_lines_added_since_stay(before: bytes) -> None:
    connected = with_block(before, NAMES, "127.0.0.1") + b"192.0.2.1 added\n"
    assert without_block(connected).splitlines() == [b"127.0.0.1 localhost", b"192.0.2.1 added"]


def test_another_choice_of_names_takes_the_place() -> None:
    connected = with_block(with_block(b"x\n", NAMES, "127.0.0.1"), ["z.test"], "127.0.44.1")
    assert connected.count(END) == 1
    assert b"127.0.44.1 z.test\n" in connected
    assert b"a.test" not in connected
