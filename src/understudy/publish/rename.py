"""A rename that never replaces what is there. Knows nothing of versions."""

import ctypes
import errno
import os
from functools import cache
from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""What kernels and file systems say that have no such rename."""


def rename_exclusively(source: Path, target: Path) -> None:
    """Renames in one step, onto a name that is free.

    Where kernel or file system cannot do both in one step (some network file systems), it looks first and
    renames then: whoever calls must hold a lock that all others take who create such names.

    Raises:
        FileExistsError: the name is taken.
        OSError: with EXDEV: the two are not on one file system; or another reason.
    """
    number = _renameat2(source, target)
    if number == 0:
        return
    if number in _NOT_SUPPORTED:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)
        return
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def _renameat2(source: Path, target: Path) -> int:
    """The kernel's error number; 0: done."""
    library = _library()
    if not hasattr(library, "renameat2"):
        return errno.ENOSYS
    names = os.fsencode(source), os.fsencode(target)
    done = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_NOREPLACE))
    return 0 if done == 0 else ctypes.get_errno()


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
