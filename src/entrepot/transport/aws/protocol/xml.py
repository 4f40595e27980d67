"""XML: elements and the text that they can hold.

Spec: XML 1.0, section 2.2.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, content: str) -> str:
    """An element around content that is XML already."""
    return f"<{name}>{content}</{name}>"


def text(value: str) -> str:
    """Text as content; characters that XML cannot hold become U+FFFD."""
    return escape(_FORBIDDEN.sub("\ufffd", value))
