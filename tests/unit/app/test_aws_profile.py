"""The AWS profile: merged into what is there, read back by botocore."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest

from entrepot.app.aws_profile import Profile, ProfileError, find_key_id, with_section, write_profile

PROFILE = Profile("entrepot", "eu-west-1", "http://127.0.0.1:5000", "AKIAEXAMPLE", "se=cr%et[x]")

CONFIG = """# mine
[default]
region = us-west-2

# about the old entrepot
[profile entrepot]
region = old
s3 =
  max_concurrent_requests = 20

# about work
[profile work]
region=eu-north-1
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {
        "AWS_CONFIG_FILE": str(tmp_path / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws" / "credentials"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def test_botocore_reads_it(environ: dict[str, str]) -> None:
    write_profile(PROFILE, environ)
    session = botocore.session.Session(profile="entrepot")
    credentials = session.get_credentials()
    assert (credentials.access_key, credentials.secret_key) == ("AKIAEXAMPLE", "se=cr%et[x]")
    for service in ("ecr", "sts"):
        assert session.create_client(service).meta.endpoint_url == "http://127.0.0.1:5000"
    assert session.create_client("s3").meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


def test_files_are_private(environ: dict[str, str]) -> None:
    write_profile(PROFILE, environ)
    for path in map(Path, environ.values()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_everything_else_stays(environ: dict[str, str]) -> None:
    config = Path(environ["AWS_CONFIG_FILE"])
    config.parent.mkdir()
    config.write_text(CONFIG)
    write_profile(PROFILE, environ)
    text = config.read_text()
    before, _, after = CONFIG.partition("[profile entrepot]\nregion = old\ns3 =\n  max_concurrent_requests = 20\n")
    assert text.startswith(f"{before}[profile entrepot]\nregion = eu-west-1\n")
    assert after in text
    assert "max_concurrent" not in text


def test_nothing_is_written_when_nothing_changes(environ: dict[str, str]) -> None:
    write_profile(PROFILE, environ)
    inodes = [Path(path).stat().st_ino for path in environ.values()]
    write_profile(PROFILE, environ)
    assert [Path(path).stat().st_ino for path in environ.values()] == inodes


def test_a_link_stays_a_link(environ: dict[str, str], tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.write_text("[default]\n")
    link = Path(environ["AWS_SHARED_CREDENTIALS_FILE"])
    link.parent.mkdir()
    link.symlink_to(real)
    write_profile(PROFILE, environ)
    assert link.is_symlink()
    assert real.read_text().startswith("[default]\n\n[entrepot]\naws_access_key_id = AKIAEXAMPLE\n")


def test_what_cannot_be_written_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "aws").write_text("a file")
    with pytest.raises(ProfileError, match=r"cannot write the AWS profile to .*aws/config"):
        write_profile(PROFILE, environ)


@pytest.mark.parametrize("name", ["", " ", "x]\n[profile work", "a\nb", "a[b", "\udcff", "tab\tbed"])
def test_names_that_would_break_the_files_are_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(ProfileError, match="name of an AWS profile"):
        write_profile(replace(PROFILE, name=name), environ)
    assert not Path(environ["AWS_CONFIG_FILE"]).exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "[a]\nx = 1\n"),
        ("[b]\ny=2", "[b]\ny=2\n\n[a]\nx = 1\n"),
        ("[a]\nold\n", "[a]\nx = 1\n"),
        ("[ a ]\nold\n\n[b]\n", "[a]\nx = 1\n\n[b]\n"),
        ("[a]", "[a]\nx = 1\n"),
        ("[aa]\n[a]\n  z = [no]\n[b]\n", "[aa]\n[a]\nx = 1\n[b]\n"),
    ],
)
def test_sections(text: str, expected: str) -> None:
    assert with_section(text, "a", ["x = 1"]) == expected
    assert with_section(expected, "a", ["x = 1"]) == expected


def test_the_key_of_a_profile_is_found_as_the_sdks_do(environ: dict[str, str]) -> None:
    write_profile(PROFILE, environ)
    assert find_key_id("entrepot", environ) == "AKIAEXAMPLE"
    config, credentials = Path(environ["AWS_CONFIG_FILE"]), Path(environ["AWS_SHARED_CREDENTIALS_FILE"])
    text = config.read_text() + "[profile work]\n[default]\n"
    for name, section in (("work", "profile work"), ("default", "default"), ("entrepot", "profile entrepot")):
        keys = f"aws_access_key_id = AKIA{name.upper()}\naws_secret_access_key = x\n"
        text = text.replace(f"[{section}]\n", f"[{section}]\n{keys}")
    config.write_text(text)
    for name in ("work", "default", "entrepot"):
        credentials_of = botocore.session.Session(profile=name).get_credentials()
        assert credentials_of is not None
        assert find_key_id(name, environ) == credentials_of.access_key
    with pytest.raises(ProfileError, match="the AWS profile other has no aws_access_key_id in"):
        find_key_id("other", environ)
    credentials.write_text("no section\n")
    with pytest.raises(ProfileError, match="cannot read the AWS profile from"):
        find_key_id("entrepot", environ)
