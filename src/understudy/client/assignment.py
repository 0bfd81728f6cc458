"""Which version a caller belongs to, computed where the server computes it the same way."""

from collections.abc import Mapping, Sequence
from typing import Final

from understudy.buckets import BUCKETS, KEY_BYTES_MAX, BucketRange, bucket_of, key_bytes, owner, reweigh
from understudy.client.errors import InvalidRequestError
from understudy.errors import Code

STABLE: Final = "stable"
CANARY: Final = "canary"


class Assignment:
    """Which version a caller belongs to, for programs that choose by version or label themselves.

        assignment = Assignment("digits/2", {2: 500})
        client.predict("digits", inputs, label=assignment.label(user))

    The same as the server's own split, by the formula that docs/reference/traffic-assignment.md documents.
    Such requests name their version, so the server neither splits them nor counts them for a rollout.
    """

    def __init__(
        self,
        salt: str,
        split: Mapping[int, int] | Sequence[BucketRange],
        *,
        labels: Mapping[int, str] | None = None,
        default_label: str = STABLE,
    ) -> None:
        """Prepares the split.

        Args:
            salt: of the split; two programs, or a program and the server, agree if theirs are the same.
            split: weights in hundredths of a per cent by version, of all but the default one; or the ranges
                of buckets that the server tells, if several versions' weights have changed.
            labels: by version; of a version that has none here `canary`.
            default_label: of those who belong to the default version.

        Raises:
            InvalidRequestError: the weights, or the ranges, are more than all.
        """
        self.salt = salt
        try:
            self.ranges = reweigh((), split) if isinstance(split, Mapping) else _checked(split)
        except ValueError as error:
            raise InvalidRequestError(Code.INVALID_ARGUMENT, f"Not a split: {error}.") from error
        self._labels = dict(labels or {})
        self._default_label = default_label

    def bucket(self, key: str | int | bytes) -> int:
        """The bucket of a caller, 0 to 9,999.

        Raises:
            InvalidRequestError: for a key of no bytes, or of more than a key has.
        """
        raw = key_bytes(key)
        if raw is None:
            raise InvalidRequestError(
                Code.INVALID_ARGUMENT,
                f"A routing key is from 1 to {KEY_BYTES_MAX} bytes; the server draws others at random.",
            )
        return bucket_of(self.salt, raw)

    def version(self, key: str | int | bytes) -> int | None:
        """The version that a caller belongs to; none: the default one.

        Raises:
            InvalidRequestError: for a key of no bytes, or of more than a key has.
        """
        return owner(self.ranges, self.bucket(key))

    def label(self, key: str | int | bytes) -> str:
        """The label of that version.

        Raises:
            InvalidRequestError: for a key of no bytes, or of more than a key has.
        """
        version = self.version(key)
        return self._default_label if version is None else self._labels.get(version, CANARY)


def _checked(ranges: Sequence[BucketRange]) -> tuple[BucketRange, ...]:
    """The same, disjoint."""
    free_from = 0
    for each in sorted(ranges, key=lambda each: each.start):
        if not free_from <= each.start < each.stop <= BUCKETS:
            raise ValueError(f"buckets {each.start} to {each.stop} of version {each.version} are not free")
        free_from = each.stop
    return tuple(ranges)
