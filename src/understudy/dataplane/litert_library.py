"""Where the installed `ai-edge-litert` wheel keeps LiteRT's library; importing it to ask costs memory."""

from importlib.machinery import PathFinder
from pathlib import Path

from understudy.errors import StartupError

LIBRARY = "libLiteRt.so"


def find_litert_dir(search_path: list[str] | None = None) -> Path:
    """The folder that holds LiteRT's shared library.

    Args:
        search_path: folders to look in; none: where Python looks for packages.

    Raises:
        StartupError: LiteRT is not installed, or is a build without its library.
    """
    spec = PathFinder.find_spec("ai_edge_litert", search_path)
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders:
        raise StartupError(
            "LiteRT is not installed, so a model.tflite cannot be served; "
            "install it beside understudy: pip install 'understudy[litert]'"
        )
    for folder in folders:
        if (folder / LIBRARY).exists():
            return folder
    raise StartupError(
        f"the ai-edge-litert package in {folders[0]} has no {LIBRARY}; understudy needs its wheel "
        "for Linux, version 2.3: pip install 'understudy[litert]'"
    )
