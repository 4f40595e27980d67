"""The standard images of the tests, built from Debian and PyPI packages into an OCI layout.

busybox     1 layer, a static busybox
pause       busybox that waits: the sandbox image of the CRI tests
python-app  Debian, python3 and some pip packages (3 layers), prints its versions
layers      busybox and 14 small layers, the last a whiteout (15 layers)
zstd        busybox and one layer, all of them zstd
multi       index: linux/amd64, linux/arm64/v8, linux/arm/v7
artifact    an OCI artifact: artifactType, empty config, one text blob
chart       a Helm chart
sbom        an artifact whose subject is python-app
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.cache import cached, fingerprint
from tests.support.image_layout import OCI, Descriptor, ImageLayout, Layer
from tests.support.tree import EPOCH, debootstrap, scrub, tar_files, tar_tree

CREATED = "2024-01-01T00:00:00Z"
PIP = ("requests==2.19.1", "Jinja2==2.10", "click==6.7")
HELM = "application/vnd.cncf.helm."
PLATFORMS: tuple[dict[str, str], ...] = (
    {"architecture": "amd64", "os": "linux"},
    {"architecture": "arm64", "os": "linux", "variant": "v8"},
    {"architecture": "arm", "os": "linux", "variant": "v7"},
)


def standard_images() -> ImageLayout:
    """The layout with every tag, built once a machine (about a minute)."""
    here = Path(__file__)
    name = "images-" + fingerprint(here, here.with_name("image_layout.py"), here.with_name("tree.py"))
    return ImageLayout(cached(name, _build))


def _build(root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="entrepot-images-") as work:
        Recipes(ImageLayout(root), Path(work)).build()


class Recipes:
    """Builds each image once; layers are shared."""

    def __init__(self, layout: ImageLayout, work: Path) -> None:
        self.layout, self.work = layout, work

    def build(self) -> None:
        """Make and tag everything."""
        busybox = self._busybox()
        self._tag_image("busybox", [busybox], ["sh"])
        self._tag_image("pause", [busybox], ["tail", "-f", "/dev/null"])
        self._tag_image("layers", [busybox, *self._small_layers()], ["ls", "/srv"])
        self._tag_image("zstd", self._zstd(), ["head", "-1", "/srv/zstd"])
        self._multi(busybox)
        self._tag_image("python-app", self._python_app(), ["python3", "/app.py"])
        self._artifact("artifact", "application/vnd.example.note.v1", b"an OCI artifact\n", "text/plain")
        self._artifact(
            "sbom", "application/spdx+json", b'{"spdxVersion":"SPDX-2.3"}', "application/spdx+json", "python-app"
        )
        self._chart()

    # layers

    def _small(self, name: str, files: dict[str, bytes], compression: str = "gzip") -> Layer:
        return self.layout.add_layer(tar_files(self.work / f"{name}.tar", files), compression)

    def _busybox(self) -> Layer:
        download = self.work / "busybox"
        download.mkdir()
        _sh("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static", cwd=download)
        _sh("dpkg-deb", "-x", next(download.glob("*.deb")), download / "x")
        program = next(path for path in download.rglob("bin/busybox"))
        applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
        empty = {f"{name}/.keep": b"" for name in ("tmp", "proc", "sys", "dev")}
        files = {
            "bin/busybox": program.read_bytes(),
            "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n",
            "etc/group": b"root:x:0:\n",
        }
        links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
        return self.layout.add_layer(tar_files(self.work / "busybox.tar", files | empty, links, 0o755))

    def _small_layers(self) -> list[Layer]:
        layers = [self._small(f"l{i}", {f"srv/layer-{i:02}": b"%d\n" % i * (i + 1)}) for i in range(13)]
        return [*layers, self._small("whiteout", {"srv/.wh.layer-00": b""})]

    def _zstd(self) -> list[Layer]:
        base = self.layout.add_layer(self.work / "busybox.tar", "zstd")
        return [base, self._small("zstd", {"srv/zstd": b"zstd\n" * 1000}, "zstd")]

    def _python_app(self) -> list[Layer]:
        root = self.work / "debian"
        debootstrap(root)
        debian = self.layout.add_layer(tar_tree(self.work / "debian.tar", root))
        return [debian, self._python_over(root), self._pip_packages()]

    def _python_over(self, lower: Path) -> Layer:
        """What installing python3 adds, taken from the upper directory of an overlay."""
        upper, scratch, merged = (self.work / name for name in ("upper", "scratch", "merged"))
        for directory in (upper, scratch, merged):
            directory.mkdir()
        _sh("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={scratch}", merged)
        try:
            shutil.copy("/etc/resolv.conf", merged / "etc/resolv.conf")
            _sh("chroot", merged, "apt-get", "-qq", "update")
            _sh("chroot", merged, "apt-get", "-qq", "-y", "--no-install-recommends", "install", "python3")
            scrub(merged)
        finally:
            _sh("umount", merged)
        return self.layout.add_layer(tar_tree(self.work / "python.tar", upper))

    def _pip_packages(self) -> Layer:
        root = self.work / "pip"
        site = root / "usr/lib/python3/dist-packages"
        options = ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(site)]
        _sh(sys.executable, "-m", "pip", "install", "-q", *options, *PIP)
        (root / "app.py").write_text(
            "from importlib.metadata import version\nprint('python-app', version('requests'), version('jinja2'))\n"
        )
        scrub(root)
        return self.layout.add_layer(tar_tree(self.work / "pip.tar", root))

    # images

    def _image(self, layers: Sequence[Layer], command: list[str], platform: dict[str, str]) -> Descriptor:
        config = {
            "created": CREATED,
            **platform,
            "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": CREATED, "created_by": "tests"} for _ in layers],
        }
        return self._manifest(
            config=self.layout.add_json(config, f"{OCI}config.v1+json"),
            layers=[layer.descriptor for layer in layers],
        )

    def _manifest(self, **fields: Any) -> Descriptor:
        media_type = f"{OCI}manifest.v1+json"
        return self.layout.add_json({"schemaVersion": 2, "mediaType": media_type, **fields}, media_type)

    def _tag_image(self, name: str, layers: Sequence[Layer], command: list[str]) -> None:
        self.layout.tag(name, self._image(layers, command, PLATFORMS[0]))

    def _multi(self, busybox: Layer) -> None:
        children = []
        for platform in PLATFORMS:
            architecture = platform["architecture"]
            layer = self._small(f"m-{architecture}", {"etc/arch": architecture.encode() + b"\n"})
            image = self._image([busybox, layer], ["cat", "/etc/arch"], platform)
            children.append({**image, "platform": platform})
        media_type = f"{OCI}index.v1+json"
        index = {"schemaVersion": 2, "mediaType": media_type, "manifests": children}
        self.layout.tag("multi", self.layout.add_json(index, media_type))

    def _artifact(self, name: str, kind: str, data: bytes, media_type: str, subject: str | None = None) -> None:
        layer = self.layout.add_blob(data, media_type)
        fields: dict[str, Any] = {
            "artifactType": kind,
            "config": self.layout.add_blob(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [{**layer, "annotations": {"org.opencontainers.image.title": f"{name}.txt"}}],
            "annotations": {"org.opencontainers.image.created": CREATED},
        }
        if subject:
            target = self.layout.tags()[subject]
            fields["subject"] = {key: target[key] for key in ("mediaType", "digest", "size")}
        self.layout.tag(name, self._manifest(**fields))

    def _chart(self) -> None:
        meta = {"apiVersion": "v2", "name": "chart", "version": "0.1.0", "type": "application"}
        files = {
            "chart/Chart.yaml": "".join(f"{key}: {value}\n" for key, value in meta.items()).encode(),
            "chart/values.yaml": b"image: python-app\n",
            "chart/templates/cm.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n",
        }
        content = {**self._small("chart", files).descriptor, "mediaType": f"{HELM}chart.content.v1.tar+gzip"}
        config = self.layout.add_json(meta, f"{HELM}config.v1+json")
        self.layout.tag("chart", self._manifest(config=config, layers=[content]))


def _sh(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a build step; in a chroot the machine's own certificates are not there."""
    kept = {k: v for k, v in os.environ.items() if command[0] != "chroot" or not k.startswith(("SSL_", "CURL_"))}
    env = kept | {"DEBIAN_FRONTEND": "noninteractive", "SOURCE_DATE_EPOCH": str(EPOCH)}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{command}: {result.stderr[-2000:]}")
