"""Where the installed TensorFlow wheel keeps its libraries; importing it to ask would take seconds."""

from importlib.machinery import PathFinder
from pathlib import Path

from understudy.errors import StartupError

LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


def find_library_dir(search_path: list[str] | None = None) -> Path:
    """The folder that holds TensorFlow's shared libraries.

    Args:
        search_path: folders to look in; none: where Python looks for packages.

    Raises:
        StartupError: TensorFlow is not installed, or is a build without its libraries.
    """
    spec = PathFinder.find_spec("tensorflow", search_path)
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders:
        raise StartupError(
            "TensorFlow is not installed, so models of platform tensorflow cannot be served; "
            "install it beside understudy: pip install 'understudy[tensorflow]'"
        )
    missing = {folder: _missing_libraries(folder) for folder in folders}
    for folder, names in missing.items():
        if not names:
            return folder
    folder, names = next(iter(missing.items()))
    raise StartupError(
        f"the TensorFlow package in {folder} has no {' and no '.join(names)}; understudy needs a wheel "
        "of TensorFlow 2.18 or later for Linux: pip install 'understudy[tensorflow]'"
    )


def _missing_libraries(folder: Path) -> list[str]:
    return [name for name in LIBRARIES if not (folder / name).exists()]
