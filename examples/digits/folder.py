"""The demo's folder on disk: staging, what the server sees, its configuration, and moves between them."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examples.digits.doors import MODEL

MARKER = "made-by-the-digits-demo"
EXPORTS: Final = {1: "1", 2: "2", 3: "confused", 4: "strict", 5: "3"}
"""What the model's versions are, by their names in staging."""


class ForeignFolderError(Exception):
    """The folder exists and is not the demo's own."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Everything under one root, by absolute paths."""

    root: Path

    @property
    def staging(self) -> Path:
        """What training wrote: one directory for each version, and the held-out digits."""
        return self.root / "staging"

    @property
    def base_path(self) -> Path:
        """Where the server looks for versions."""
        return self.root / "models" / MODEL

    @property
    def config_file(self) -> Path:
        """The server's model configuration."""
        return self.root / "models.config"

    @property
    def strategies_file(self) -> Path:
        """How new versions are rolled out."""
        return self.root / "rollouts.yaml"

    @property
    def state(self) -> Path:
        """What the server remembers."""
        return self.root / "state"

    @property
    def server_log(self) -> Path:
        """What the server said."""
        return self.root / "server.log"

    @property
    def request_file(self) -> Path:
        """A request for trying by hand."""
        return self.root / "request.json"

    def record(self, door: str, number: int) -> Path:
        """What one client wrote down."""
        return self.root / f"client-{door}-{number}.jsonl"

    def prepare(self) -> None:
        """Begins anew; refuses to empty a folder that it did not make."""
        if self.root.exists() and not (self.root / MARKER).exists():
            raise ForeignFolderError(
                f"{self.root} exists and was not made by the demo; give another --folder"
            )
        shutil.rmtree(self.root, ignore_errors=True)
        self.base_path.mkdir(parents=True)
        (self.root / MARKER).touch()

    def publish(self, version: int) -> None:
        """Puts a version into place as a careful pipeline does: copied beside, then renamed.

        Whoever looks at the base path in between sees no half-copied version.
        """
        incoming = self.base_path.parent / f".incoming-{version}"
        shutil.copytree(self.staging / EXPORTS[version], incoming)
        os.rename(incoming, self.base_path / str(version))  # noqa: PTH104 - the system call is the point

    def withdraw(self, version: int) -> None:
        """Takes a version away, whole."""
        outgoing = self.base_path.parent / f".outgoing-{version}"
        os.rename(self.base_path / str(version), outgoing)  # noqa: PTH104 - the system call is the point
        shutil.rmtree(outgoing)

    def write_config(self, *, only_version: int | None = None) -> str:
        """Writes the configuration, whole or not at all; answers its text."""
        policy = (
            ""
            if only_version is None
            else f"    model_version_policy {{ specific {{ versions: {only_version} }} }}\n"
        )
        text = (
            "model_config_list {\n  config {\n"
            f'    name: "{MODEL}"\n    base_path: "{self.base_path}"\n    model_platform: "tensorflow"\n'
            f"{policy}  }}\n}}\n"
        )
        incoming = self.config_file.with_suffix(".incoming")
        incoming.write_text(text, encoding="utf-8")
        incoming.replace(self.config_file)
        return text

    def write_strategies(self, text: str) -> str:
        """Writes how new versions are rolled out; answers the text."""
        self.strategies_file.write_text(text, encoding="utf-8")
        return text

    def clear(self) -> None:
        """Leaves version 1 alone in place, and nothing that a server remembers of others."""
        for path in self.base_path.iterdir():
            if path.name != "1":
                shutil.rmtree(path)
        shutil.rmtree(self.state)
        self.write_config()

    def relative(self) -> "Folder":
        """The same folder by its path from here, if that is shorter to type."""
        here = Path.cwd()
        return Folder(self.root.relative_to(here)) if self.root.is_relative_to(here) else self

    def write_request(self) -> None:
        """Writes a request with two held-out digits."""
        images = json.loads((self.staging / "held_out.json").read_text(encoding="utf-8"))["images"][:2]
        self.request_file.write_text(json.dumps({"instances": images}), encoding="utf-8")
