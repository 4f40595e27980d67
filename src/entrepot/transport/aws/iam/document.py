"""Policy documents in answers of IAM: percent-encoded, as RFC 3986 does it; every SDK decodes them.

Spec: IAM API, GetPolicyVersion: "The policy document returned in this structure is URL-encoded compliant with RFC
3986".
"""

from __future__ import annotations

from urllib.parse import quote


def encode_document(document: str) -> str:
    """A document as answers have it."""
    return quote(document, safe="")
