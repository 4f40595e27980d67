"""Directory trees as tar files that are the same on every build: for the layers of test images."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = 1704067200
"""2024-01-01T00:00:00Z, the time of every file."""

VOLATILE = (
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/*.bin",
    "var/lib/apt/lists/*",
    "var/log/*",
    "var/cache/ldconfig/aux-cache",
    "etc/resolv.conf",
    "etc/hostname",
    "etc/machine-id",
    "var/lib/dpkg/*-old",
    "var/cache/debconf/*-old",
    "tmp/*",
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
)


def tar_files(path: Path, files: Mapping[str, bytes], links: Mapping[str, str] = {}, mode: int = 0o644) -> Path:
    """Write files and symbolic links, with the directories that they need."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for directory in sorted({str(up) for name in (*files, *links) for up in Path(name).parents} - {"."}):
            tar.addfile(_entry(directory + "/", tarfile.DIRTYPE, 0o755))
        for name in sorted((*files, *links)):
            if name in links:
                entry = _entry(name, tarfile.SYMTYPE, 0o777)
                entry.linkname = links[name]
                tar.addfile(entry)
            else:
                entry = _entry(name, tarfile.REGTYPE, mode)
                entry.size = len(files[name])
                tar.addfile(entry, io.BytesIO(files[name]))
    return path


def tar_tree(path: Path, root: Path) -> Path:
    """Write a directory, with the kernel's overlay whiteouts turned into OCI ones."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for top, directories, names in os.walk(root):
            directories.sort()
            for name in sorted(names + directories):
                full = Path(top, name)
                _add(tar, full, full.relative_to(root))
    return path


def _add(tar: tarfile.TarFile, full: Path, name: Path) -> None:
    status = full.lstat()
    if stat.S_ISSOCK(status.st_mode):
        return
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        tar.addfile(_entry(str(name.parent / f".wh.{name.name}"), tarfile.REGTYPE, 0o644))
        return
    entry = tar.gettarinfo(full, str(name))
    entry.mtime, entry.uname, entry.gname = EPOCH, "", ""
    if entry.isreg():
        with full.open("rb") as file:
            tar.addfile(entry, file)
    else:
        tar.addfile(entry)


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
    return entry


def scrub(root: Path) -> None:
    """Remove what differs between two installations of the same packages."""
    for pattern in VOLATILE:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for cache in list(root.rglob("__pycache__")):
        shutil.rmtree(cache)


def debootstrap(root: Path) -> None:
    """Install a minimal Debian of the machine's own release into `root`."""
    suite, mirror = _debian_mirror()
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(root), mirror]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    scrub(root)


def _debian_mirror() -> tuple[str, str]:
    """Release and mirror that apt is set up with."""
    codename = subprocess.run(
        ["bash", "-c", ". /etc/os-release; echo $VERSION_CODENAME"], capture_output=True, text=True, check=True
    ).stdout.strip()
    form = ["--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    targets = subprocess.run(["apt-get", "indextargets", *form], capture_output=True, text=True, check=True).stdout
    for line in targets.splitlines():
        found, component, uri = line.split(" ", 2)
        if (found, component) == (codename, "main"):
            return codename, uri.rstrip("/")
    raise RuntimeError(f"apt has no mirror for {codename}: run apt-get update")
