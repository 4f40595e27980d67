"""Settings of blobs in S3: what they come to, and what is said when they do not go together."""

from __future__ import annotations

import pytest

from entrepot.app.config import Settings
from entrepot.app.config_load import SettingsError, load
from entrepot.app.config_s3 import encryption_headers, place_of

GOOD = {
    "ENTREPOT_BLOB_URL": "s3://my-bucket/a/b",
    "ENTREPOT_S3_ACCESS_KEY_ID": "AKIA",
    "ENTREPOT_S3_SECRET_ACCESS_KEY": "hush-hush",
}


def loaded(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    for name, value in {**GOOD, **{f"ENTREPOT_{name.upper()}": value for name, value in changes.items()}}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load()


def test_place_at_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(loaded(monkeypatch, s3_region="eu-central-1"))
    assert place is not None
    assert (place.bucket, place.prefix, place.is_virtual) == ("my-bucket", "a/b/", True)
    assert place.endpoint == "https://s3.eu-central-1.amazonaws.com"
    dotted = place_of(loaded(monkeypatch, blob_url="s3://my.bucket"))
    assert dotted is not None
    assert (dotted.prefix, dotted.is_virtual) == ("", False), "a certificate has no name with another dot"


def test_place_at_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(loaded(monkeypatch, s3_endpoint_url="http://127.0.0.1:9000/"))
    assert place is not None
    assert (place.endpoint, place.is_virtual) == ("http://127.0.0.1:9000", False)
    assert place_of(Settings()) is not None
    assert place_of(loaded(monkeypatch, **dict.fromkeys(("blob_url", "s3_access_key_id", "s3_endpoint_url",
                                                         "s3_secret_access_key")))) is None  # fmt: skip


def test_encryption_by_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    assert encryption_headers(loaded(monkeypatch)) == {}
    by_s3 = loaded(monkeypatch, storage_encryption="bucket")
    assert encryption_headers(by_s3) == {"x-amz-server-side-encryption": "AES256"}
    by_kms = loaded(monkeypatch, storage_encryption="bucket", s3_kms_key="alias/blobs")
    assert encryption_headers(by_kms) == {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/blobs",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blob_url": "https://my-bucket"}, "blob_url (--blob-url, ENTREPOT_BLOB_URL): must be s3://BUCKET"),
        ({"blob_url": "s3://UPPER"}, "must be s3://BUCKET"),
        ({"blob_url": "s3://my-bucket/a/../b"}, "not safe"),
        ({"blob_dir": "/srv/blobs"}, "both set; blobs are in one place"),
        ({"s3_endpoint_url": "ftp://x"}, "s3_endpoint_url (--s3-endpoint-url, ENTREPOT_S3_ENDPOINT_URL): must be http"),
        ({"s3_endpoint_url": "http://user:hush-hush@x"}, "must not hold credentials"),
        ({"s3_endpoint_url": "http://x/path"}, "without a path"),
        ({"s3_secret_access_key": None}, "must be set together"),
        ({"s3_access_key_id": None, "s3_secret_access_key": None}, "or s3_credentials"),
        ({"s3_credentials": "aws"}, "credentials have one source"),
        ({"s3_addressing": "dns"}, "s3_addressing"),
        ({"redirect_downloads": "true"}, "clients cannot read what we encrypt"),
        ({"s3_kms_key": "alias/x"}, "needs storage_encryption"),
        ({"blob_url": None}, "s3_access_key_id (--s3-access-key-id, ENTREPOT_S3_ACCESS_KEY_ID) needs blob_url"),
        (
            {**dict.fromkeys(("blob_url", "s3_access_key_id", "s3_secret_access_key")), "storage_encryption": "bucket"},
            "bucket needs blob_url",
        ),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, **changes)
    assert said in str(refused.value)
    assert len(refused.value.problems) == 1
    assert "hush-hush" not in str(refused.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hush-hush" not in repr(loaded(monkeypatch))
