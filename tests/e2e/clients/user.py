"""A user with a home of their own and container clients on the PATH, whose logins are nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.clients.programs import helm_program
from tests.support.image_layout import ImageLayout
from tests.support.world import HOST, World

PUSH_AND_PULL = Path(__file__).with_name("push-and-pull")
PROGRAMS = Path(sys.executable).parent
_FILES = ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE")
"""Where the clients of other tests have their logins."""
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class User:
    """Has root's keys in the environment unless there are other settings, and no login yet."""

    def __init__(self, world: World, images: ImageLayout) -> None:
        self.world, self.home = world, world.scratch()
        self.settings: dict[str, str] | None = None
        tools = self.home / "bin"
        tools.mkdir()
        (tools / "helm").symlink_to(helm_program())
        for name in ("aws", "docker-credential-entrepot", "entrepot"):
            (tools / name).symlink_to(PROGRAMS / name)
        self._environment = {
            "HOME": str(self.home),
            "PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin",
            "IMAGES": str(images.root),
            "PYTHON": sys.executable,
        }

    @property
    def docker_config(self) -> Path:
        return self.home / ".docker" / "config.json"

    @property
    def tokens(self) -> list[Path]:
        """Files of the helper's cache that hold tokens."""
        return list((self.home / ".cache" / "entrepot" / "tokens").glob("[!k]*.json"))

    def write(self, name: str, text: str) -> Path:
        """Write a file below the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def name_helper(self, key: str = "credHelpers", name: str = ".docker/config.json") -> Path:
        """Have a file of logins name the helper, for the registry or (`credsStore`) for all."""
        return self.write(name, json.dumps({key: "entrepot" if key == "credsStore" else {HOST: "entrepot"}}))

    def run(
        self, *command: str | Path, stdin: str = "", env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a directory of its own."""
        added = (self.settings or {}) | dict(env)
        unset = [name for name in (*_FILES, *(_KEYS if self.settings is not None else ())) if name not in added]
        inside = ("env", "-C", self.world.scratch(), *(word for name in unset for word in ("-u", name)), *command)
        return self.world.run(*inside, stdin=stdin, env=self._environment | added)

    def do(self, *command: str | Path, stdin: str = "", env: Mapping[str, str] = {}) -> str:
        """The same; what it printed."""
        done = self.run(*command, stdin=stdin, env=env)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def get(self, host: str = HOST) -> subprocess.CompletedProcess[str]:
        """Ask the helper as docker does."""
        return self.run("docker-credential-entrepot", "get", stdin=host)

    def push_and_pull(
        self, client: str, repository: str, *, host: str = HOST, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Have a client push and pull; anything else than an exit code of 0 is a failure on the way."""
        return self.run(PUSH_AND_PULL, client, f"{host}/{repository}", env=env)
