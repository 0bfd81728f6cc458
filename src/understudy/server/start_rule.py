"""Which configuration a start puts in force: what the file or the flags say, or what was acknowledged last.

Pure; docs/decisions/0018 says why.
"""

from dataclasses import dataclass

from understudy.store.revision import Revision


@dataclass(frozen=True, slots=True)
class Resume:
    """The newest revision is in force again, whatever its origin was.

    Attributes:
        revision: the newest on record.
        reason: for people.
    """

    revision: Revision
    reason: str


@dataclass(frozen=True, slots=True)
class Take:
    """What the file or the flags say becomes a new revision.

    Attributes:
        reason: for people.
    """

    reason: str


def choose_start(declared: str, *, is_as_before: bool | None, newest: Revision | None) -> Resume | Take:
    """Chooses.

    Args:
        declared: what the file or the flags say now, in canonical form.
        is_as_before: whether they said the same when they were last taken; none: they never were.
        newest: the newest revision on record.
    """
    if newest is None:
        return Take("there is no configuration on record yet")
    if newest.text == declared:
        return Resume(newest, "the file or the flags say the same")
    if is_as_before:
        return Resume(newest, "the file or the flags say what they said before it was made")
    return Take(f"the file or the flags have changed since revision {newest.head.number} was made")
