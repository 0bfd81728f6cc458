"""Models of which a look is awaited that began after something happened: what is known may be older."""

from collections.abc import Collection, Iterable

REPORTS_WAITED = 2
"""Of two reports that come after an event, the second is of a look that began after it."""


class AwaitedLooks:
    """How many reports are still waited for, by model."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        """These are waited for from now on."""
        self._reports = dict.fromkeys(models, REPORTS_WAITED)

    def __bool__(self) -> bool:
        return bool(self._reports)

    def models(self) -> frozenset[str]:
        """Those of which what is known may be too old."""
        return frozenset(self._reports)

    def wait_for(self, models: Iterable[str]) -> None:
        """These too, from now on."""
        self._reports.update(dict.fromkeys(models, REPORTS_WAITED))

    def note_reports(self, models: Collection[str]) -> None:
        """A source has reported on these models, whatever it saw."""
        for name in self._reports.keys() & models:
            self._reports[name] -= 1
            if not self._reports[name]:
                del self._reports[name]

    def cease(self, models: Iterable[str]) -> None:
        """These are not waited for any longer."""
        for name in models:
            self._reports.pop(name, None)

    def keep(self, models: Collection[str]) -> None:
        """Only these are there at all."""
        self._reports = {name: left for name, left in self._reports.items() if name in models}
