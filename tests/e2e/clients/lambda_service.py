"""A service that runs functions as AWS Lambda does: an image by the API alone, its layers unpacked, its command run.

lambda_service SOURCE_ARN REPOSITORY TAG DIRECTORY     prints what the function prints

Each request names the function in `x-amz-source-arn`. Layers become a root as the OCI image specification says,
whiteouts included, and the command runs in it with namespaces of its own and without a network.

Spec: OCI Image 1.1, "Filesystem layers", "Image configuration".
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final

import boto3

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_NEW_NAMESPACES: Final = ("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork")


class Registry:
    """Images of one repository, asked for as a service for one function."""

    def __init__(self, ecr: ECRClient, source: str, repository: str) -> None:
        self._ecr = ecr
        self._named: dict[str, Any] = {"registryId": source.split(":")[4], "repositoryName": repository}

        def name(request: Any, **_: Any) -> None:
            request.headers["x-amz-source-arn"] = source

        ecr.meta.events.register("before-sign.*.*", name)

    def manifest(self, image_id: ImageIdentifierTypeDef) -> dict[str, Any]:
        """The manifest of an image for linux/amd64."""
        answer = self._ecr.batch_get_image(**self._named, imageIds=[image_id])
        if answer["failures"]:
            raise SystemExit(f"{answer['failures'][0]['failureCode']}: {answer['failures'][0]['failureReason']}")
        parsed: dict[str, Any] = json.loads(answer["images"][0]["imageManifest"])
        for child in parsed.get("manifests", []):
            if (child["platform"]["os"], child["platform"]["architecture"]) == ("linux", "amd64"):
                return self.manifest({"imageDigest": child["digest"]})
        return parsed

    def blob(self, digest: str) -> bytes:
        """A layer or a config, checked against its digest."""
        url = self._ecr.get_download_url_for_layer(**self._named, layerDigest=digest)["downloadUrl"]
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - the server's own URL
            data: bytes = answer.read()
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise SystemExit(f"{digest} came as something else")
        return data


def unpack(layer: bytes, media_type: str, root: Path) -> None:
    """Lay one layer over what is there."""
    if media_type.endswith("+zstd"):
        layer = subprocess.run(["zstd", "-dqc"], input=layer, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = tar.getmembers()
        for member in members:
            _white_out(root, PurePosixPath(member.name))
        kept = [one for one in members if not PurePosixPath(one.name).name.startswith(_WHITEOUT)]
        for member in kept:
            _make_room(root / member.name, is_directory=member.isdir())
        tar.extractall(root, kept, numeric_owner=True, filter="tar")


def _white_out(root: Path, path: PurePosixPath) -> None:
    """Remove what a whiteout names, or all that an opaque directory had."""
    if path.name == _OPAQUE:
        for below in (root / path.parent).iterdir():
            _remove(below)
    elif path.name.startswith(_WHITEOUT):
        _remove(root / path.parent / path.name.removeprefix(_WHITEOUT))


def _make_room(target: Path, *, is_directory: bool) -> None:
    """Remove what cannot be overwritten: anything but a directory that stays one."""
    if target.is_symlink() or (target.exists() and not (is_directory and target.is_dir())):
        _remove(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(root: Path, config: dict[str, Any], output: IO[str]) -> int:
    """Run the command of an image in a root; its exit code."""
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    environment = dict(pair.split("=", 1) for pair in config.get("Env") or [])
    done = subprocess.run(
        [*_NEW_NAMESPACES, "chroot", root, *words], env=environment, text=True, capture_output=True, check=False
    )
    output.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def main() -> int:
    """Pull, unpack and run."""
    source, repository, tag, directory = sys.argv[1:]
    registry, root = Registry(boto3.client("ecr"), source, repository), Path(directory)
    manifest = registry.manifest({"imageTag": tag})
    for layer in manifest["layers"]:
        unpack(registry.blob(layer["digest"]), layer["mediaType"], root)
    config = json.loads(registry.blob(manifest["config"]["digest"]))
    return run(root, config["config"], sys.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
