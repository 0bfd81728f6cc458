"""Publishers that are killed: a script. Each line of its input is one publisher, which is killed at one moment.

    python -m tests.live.killed_publisher     reads {"export": ..., "base_path": ..., "move": ..., "at": N}

The moment is counted in calls and returns of Python's and C's functions while the export is placed: so every
system call can be the last one, or the first that is not made. It answers each line with the number of calls
counted when nothing was killed, or with `killed`. Tests do not live here.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from understudy.publish.export import read_export
from understudy.publish.placing import Placing, place


class Moment:
    """Kills this process at one of the moments that the interpreter tells of."""

    def __init__(self, at: int) -> None:
        self.count = 0
        self._at = at

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def publish(export: str, base_path: str, *, move: bool, at: int) -> int:
    """One publisher; how many moments there were."""
    found = read_export(Path(export), "synthetic")
    moment = Moment(at)
    sys.setprofile(moment)
    place(found, Placing(base_path=Path(base_path), platform="synthetic", move=move))
    sys.setprofile(None)
    return moment.count


def main() -> None:
    """A child for each line."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            count = publish(asked["export"], asked["base_path"], move=asked["move"], at=asked["at"])
            os.write(1, f"{count}\n".encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.write(1, b"killed\n")


if __name__ == "__main__":
    main()
