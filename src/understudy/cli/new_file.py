"""Files that commands write: whole or not at all."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

MODE = 0o644


def write_new(target: Path, parts: Iterable[bytes]) -> int:
    """Writes beside, then renames: a file that is broken off is never taken for one. How many parts it has.

    Without any part, nothing is written. The target's directory is made if only that is missing.
    """
    target.parent.mkdir(exist_ok=True)
    count = 0
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        beside = Path(file.name)
        try:
            for part in parts:
                file.write(part)
                count += 1
            file.flush()
            if count:
                beside.chmod(MODE)
                beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    return count
