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

    def synthetic(self, version: int, **members: object) -> Path:
        """Publishes a synthetic model; y = x + version unless told otherwise."""
        staged = self._staging / str(version)
        staged.mkdir()
        model = {"a": 1.0, "b": float(version), "version": version} | members
        (staged / "synthetic.json").write_text(json.dumps(model))
        return self._publish(staged, version)

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

    def _publish(self, staged: Path, version: int) -> Path:
        return staged.rename(self.base_path / str(version))


def config_text(*models: str) -> str:
    """A model config file with these models, each from `model_text`."""
    return "model_config_list {\n" + "\n".join(models) + "\n}\n"


def model_text(name: str, base_path: Path, *, platform: str = "synthetic", policy: str = "") -> str:
    """One model of a config file."""
    versions = f"model_version_policy {{ {policy} }}" if policy else ""
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "{platform}" {versions} }}'
