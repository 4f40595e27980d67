"""Media types: parameters, and what an Accept header takes."""

import pytest

from entrepot.domain.media_type import OCI_INDEX, OCI_MANIFEST, accepts, essence


def test_essence_drops_parameters() -> None:
    assert essence("Application/VND.oci.image.manifest.v1+json; charset=utf-8") == OCI_MANIFEST


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ([], True),
        (["*/*"], True),
        (["application/*;q=0.1"], True),
        ([OCI_MANIFEST], True),
        ([OCI_INDEX, f"{OCI_MANIFEST};q=0.5"], True),
        ([OCI_INDEX], False),
        ([f"{OCI_MANIFEST};q=0"], False),
        (["text/*"], False),
    ],
)
def test_accepts(accept: list[str], taken: bool) -> None:
    assert accepts(accept, OCI_MANIFEST) is taken
