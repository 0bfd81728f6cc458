"""Versions of models on disk, published as an operator would: copied beside, then renamed into place."""

import json
import shutil
from pathlib import Path


class Exports:
    """A base path, and a staging folder on the same file system."""

    def __init__(self, folder: Path) -> None:
        self.base_path = folder / "base"
        self._staging = folder / "staging"
        self.base_path.mkdir(parents=True)
        self._staging.mkdir()

    def synthetic(self, version: int, /, **members: object) -> Path:
        """Publishes a synthetic model; y = x + version unless told otherwise."""
        return self._publish(self._stage(version, **members), version)

    def heavy(self, version: int, /, *, file_bytes: int, **members: object) -> Path:
        """The same, beside a file of this size, by which its need of memory is estimated."""
        staged = self._stage(version, **members)
        with (staged / "ballast").open("wb") as ballast:
            ballast.truncate(file_bytes)
        return self._publish(staged, version)

    def half_copied(self, version: int) -> Path:
        """A version as a copy that was broken off leaves it."""
        path = self.base_path / str(version)
        path.mkdir()
        (path / "synthetic.json").write_text(synthetic_text(version)[:-2])
        return path

    def copy(self, export: Path, version: int) -> Path:
        """Publishes a copy of an export."""
        staged = self._staging / str(version)
        shutil.copytree(export, staged)
        return self._publish(staged, version)

    def remove(self, version: int) -> None:
        """Takes a version away at once, then deletes it."""
        gone = self._staging / f"{version}.gone"
        (self.base_path / str(version)).rename(gone)
        shutil.rmtree(gone)

    def _stage(self, version: int, /, **members: object) -> Path:
        staged = self._staging / str(version)
        staged.mkdir()
        (staged / "synthetic.json").write_text(synthetic_text(version, **members))
        return staged

    def _publish(self, staged: Path, version: int) -> Path:
        return staged.rename(self.base_path / str(version))


def synthetic_text(version: int, /, **members: object) -> str:
    """A `synthetic.json`."""
    return json.dumps({"a": 1.0, "b": float(version), "version": version} | members)


def release(version: Path) -> None:
    """Lets go what hangs in a synthetic model: loads and requests."""
    (version / "release").touch()


def config_text(*models: str) -> str:
    """A model config file with these models, each from `model_text`."""
    return "model_config_list {\n" + "\n".join(models) + "\n}\n"


def model_text(name: str, base_path: Path, *, platform: str = "synthetic", policy: str = "") -> str:
    """One model of a config file."""
    versions = f"model_version_policy {{ {policy} }}" if policy else ""
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "{platform}" {versions} }}'
