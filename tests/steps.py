"""A manager stepped by hand, and the facts that tests tell it. No test cases here."""

from understudy.errors import Code
from understudy.lifecycle import (
    AspiredVersions,
    Facts,
    Inspect,
    Load,
    Manager,
    ManagerOptions,
    StepResult,
    Unload,
    Watch,
)
from understudy.model_config import Transition
from understudy.servable import (
    Failure,
    FoundVersion,
    Inspected,
    Loaded,
    LoadFailed,
    Outcome,
    ServableId,
    Unloaded,
    VersionSnapshot,
)

CORRUPT = Failure(Code.DATA_LOSS, "corrupt")


def aspire(
    name: str,
    *numbers: int,
    where: str = "/models",
    files: str | None = None,
    transition: Transition | None = None,
) -> AspiredVersions:
    found = tuple(FoundVersion(n, f"{where}/{name}/{n}", files) for n in numbers)
    return AspiredVersions(name, found, transition)


def loaded(name: str, version: int, incarnation: int = 0) -> Loaded:
    return Loaded(ServableId(name, version, incarnation), 0.4)


def failed(name: str, version: int) -> LoadFailed:
    return LoadFailed(ServableId(name, version), 0.1, CORRUPT)


def unloaded(name: str, version: int, incarnation: int = 0) -> Unloaded:
    return Unloaded(ServableId(name, version, incarnation), 0.1)


class Steps:
    """A manager and the time; inspections are answered in the step that orders them.

    Attributes:
        estimates: what an inspection says of the memory that a version needs, by path.
        fingerprints: what it says of the files there.
    """

    def __init__(self, options: ManagerOptions | None = None) -> None:
        self.manager = Manager(options)
        self.now = 0.0
        self.estimates: dict[str, int] = {}
        self.fingerprints: dict[str, str] = {}

    def __call__(self, *facts: AspiredVersions | Outcome, after_s: float = 0.0) -> StepResult:
        """One step, so much later."""
        self.now += after_s
        aspired = tuple(each for each in facts if isinstance(each, AspiredVersions))
        outcomes = tuple(each for each in facts if not isinstance(each, AspiredVersions))
        for each in (version for model in aspired for version in model.versions):
            if each.fingerprint is not None:
                self.fingerprints[each.path] = each.fingerprint
        return self._inspect(self.manager.step(self.now, Facts(aspired=aspired, outcomes=outcomes)))

    def _inspect(self, result: StepResult) -> StepResult:
        """The result, with what followed from the inspections that it ordered."""
        inspections = [each for each in result.actions if isinstance(each, Inspect)]
        if not inspections:
            return result
        outcomes = tuple(
            Inspected(
                each.servable, each.path, self.estimates.get(each.path, 0), self.fingerprints.get(each.path)
            )
            for each in inspections
        )
        after = self._inspect(self.manager.step(self.now, Facts(outcomes=outcomes)))
        first = tuple(each for each in result.actions if not isinstance(each, Inspect | Watch))
        changed = {model.name: model for model in (*result.changed, *after.changed)}
        return StepResult(
            first + after.actions,
            result.events + after.events,
            tuple(changed[name] for name in sorted(changed)),
            result.forgotten + after.forgotten,
            after.next_step_at,
        )

    def version(self, name: str, number: int) -> VersionSnapshot:
        """One version as it is now."""
        model = next(each for each in self.manager.snapshots() if each.name == name)
        return next(each for each in model.versions if each.version == number)


def loads(result: StepResult) -> list[str]:
    return [str(action.servable) for action in result.actions if isinstance(action, Load)]


def unloads(result: StepResult) -> list[str]:
    return [str(action.servable) for action in result.actions if isinstance(action, Unload)]
