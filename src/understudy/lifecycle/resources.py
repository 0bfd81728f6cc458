"""The memory that versions may take together: reserved by estimate before a load, released after."""

from understudy.lifecycle.reasons import amount
from understudy.servable import ServableId


class Budget:
    """Reservations whose sum never passes a limit.

    Attributes:
        limit_bytes: of all reservations together; none: no limit.
    """

    __slots__ = ("_reserved", "_reserved_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._reserved: dict[ServableId, int] = {}
        self._reserved_bytes = 0

    @property
    def reserved_bytes(self) -> int:
        """The sum of all reservations."""
        return self._reserved_bytes

    def reservations(self) -> dict[ServableId, int]:
        """A copy of every reservation."""
        return dict(self._reserved)

    def has_room_for(self, estimate_bytes: int) -> bool:
        """Whether so much could be reserved now."""
        return self.limit_bytes is None or self._reserved_bytes + estimate_bytes <= self.limit_bytes

    def reserve(self, servable: ServableId, estimate_bytes: int) -> bool:
        """Reserves, or leaves everything as it was; whether it did reserve."""
        if servable in self._reserved or estimate_bytes < 0:
            raise AssertionError(
                f"{servable}: reserved twice, or a negative estimate ({estimate_bytes} bytes)"
            )
        if not self.has_room_for(estimate_bytes):
            return False
        self._reserved[servable] = estimate_bytes
        self._reserved_bytes += estimate_bytes
        return True

    def release(self, servable: ServableId) -> None:
        """Gives back what was reserved."""
        self._reserved_bytes -= self._reserved.pop(servable)

    def why_no_room(self, estimate_bytes: int) -> str:
        """A sentence for people."""
        limit_bytes = self.limit_bytes or 0
        left, limit = amount(max(0, limit_bytes - self._reserved_bytes)), amount(limit_bytes)
        return f"needs {amount(estimate_bytes)}; {left} of {limit} are left"
