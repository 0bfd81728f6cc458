"""What is told of the store in which models' traffic is recorded: that it fails, works again, or forgets."""

from collections.abc import Collection, Iterator

from understudy.control.traffic_records import Settled, TrafficRecords
from understudy.servable import Event


class StoreNotices:
    """Tells each once for each model that it concerns. Owned by the control loop's thread."""

    def __init__(self, *, is_forgetful: bool) -> None:
        self._is_forgetful = is_forgetful
        self._told: set[str] = set()
        self._warned: set[str] = set()

    def tell(
        self, now: float, settled: Settled, records: TrafficRecords, kept: Collection[str]
    ) -> Iterator[Event]:
        """What is news after a step.

        Args:
            now: by the loop's clock.
            settled: what became of the step's changes.
            records: which are owed.
            kept: the models of which something is kept.
        """
        if settled.failure is None:
            yield from self._tell_recovery(now, settled)
        else:
            yield from self._tell_failure(now, settled, records)
        if self._is_forgetful:
            yield from self._tell_forgetful(now, settled.in_force.keys() & set(kept))

    def _tell_failure(self, now: float, settled: Settled, records: TrafficRecords) -> Iterator[Event]:
        owed = {name for name in settled.in_force if not records.is_recorded(name, now)}
        for model in sorted((settled.refused | owed) - self._told):
            what = "goes no further" if model in settled.refused else "is in force without its record"
            reason = f"its traffic {what}, and is tried to be recorded again and again: {settled.failure}"
            yield Event(now, model, None, "traffic_unrecorded", reason)
        self._told |= settled.refused | owed

    def _tell_recovery(self, now: float, settled: Settled) -> Iterator[Event]:
        if not settled.is_news:
            return
        recovered, self._told = self._told, set()
        for model in sorted(recovered):
            reason = "the store works again; what is in force of its traffic is on record"
            yield Event(now, model, None, "traffic_recorded", reason)

    def _tell_forgetful(self, now: float, models: Collection[str]) -> Iterator[Event]:
        news = set(models) - self._warned
        self._warned |= news
        for model in sorted(news):
            reason = (
                "this server keeps its state in memory: rollouts, weights and quarantine of the model are "
                "forgotten when it ends; with a state directory they are not"
            )
            yield Event(now, model, None, "traffic_in_memory", reason)
