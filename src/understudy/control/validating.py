"""Candidates are looked at before any request reaches them, on a thread that yields to requests.

Whether what was seen is enough is judged by the core (`rollout/validation.py`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from understudy.clock import Clock
from understudy.control.workers import Job, WorkerPool
from understudy.dataplane._native import ValidationReport
from understudy.dataplane.options import ValidateRequest
from understudy.errors import Code, DataPlaneError
from understudy.priority import NICENESS
from understudy.rollout.validation import (
    Checked,
    GoldenReport,
    Validate,
    ValidationOutcome,
    judge_validation,
)
from understudy.servable import ServableId
from understudy.signature_message import parse_signatures
from understudy.signatures import incompatibilities

VALIDATION_THREADS = 1
VALIDATION_PATIENCE_S = 5.0
"""The next candidate does not wait longer than this for one with many examples, or one that hangs."""
VALIDATION_TIMEOUT_S = 600.0
"""A candidate that takes longer has failed."""
GONE = frozenset({Code.ABORTED, Code.NOT_FOUND})
"""The version is not loaded, or not any more."""


class Examiner(Protocol):
    """Asks versions that are loaded, routed or not. Every method raises `DataPlaneError`."""

    def signatures(self, servable: ServableId) -> bytes:
        """What it can be asked: a serialized SignatureDefMap."""
        ...

    def validate(self, servable: ServableId, request: ValidateRequest) -> ValidationReport:
        """What it makes of its golden examples; takes as long as they do."""
        ...


@dataclass(slots=True, eq=False)
class _Asked:
    """A validation that has not been answered yet."""

    action: Validate
    job: Job | None = None


class Validations:
    """Starts validations; their outcomes come through `report`, mostly on the pool's thread."""

    def __init__(self, clock: Clock, examiner: Examiner, report: Callable[[ValidationOutcome], None]) -> None:
        self._clock = clock
        self._examiner = examiner
        self._report = report
        self._lock = threading.Lock()
        self._open: list[_Asked] = []
        self._pool = WorkerPool(
            "validate",
            clock,
            threads=VALIDATION_THREADS,
            patience_s=VALIDATION_PATIENCE_S,
            niceness=NICENESS,
        )

    def start(self, action: Validate) -> None:
        """Queues a validation."""
        asked = _Asked(action)
        with self._lock:
            self._open.append(asked)
        asked.job = self._pool.submit(partial(self._examine, action), partial(self._tell, asked))

    def watch_deadlines(self) -> None:
        """Reports what has taken too long; to be called now and then by whoever orders."""
        self._pool.tend(VALIDATION_TIMEOUT_S, self._tell_overdue)

    def stop(self) -> None:
        """Takes no more work; what runs is left to end by itself."""
        self._pool.stop()

    def _tell_overdue(self, job: Job) -> None:
        with self._lock:
            asked = next((each for each in self._open if each.job is job), None)
        if asked is not None:
            finding = f"it was not validated within {VALIDATION_TIMEOUT_S:g} s"
            self._tell(asked, self._build(asked.action, (finding,), (), VALIDATION_TIMEOUT_S))

    def _tell(self, asked: _Asked, outcome: ValidationOutcome | None) -> None:
        """Once for each that was asked; not at all of a version that is gone."""
        with self._lock:
            is_first = asked in self._open
            if is_first:
                self._open.remove(asked)
        if is_first and outcome is not None:
            self._report(outcome)

    def _examine(self, action: Validate) -> ValidationOutcome | None:
        begun = self._clock.now()
        try:
            checked = self._check(action)
        except DataPlaneError as error:
            if error.code in GONE:
                return None
            findings: tuple[str, ...] = (f"it could not be validated: {error.message}",)
            notes: tuple[str, ...] = ()
        except Exception as error:  # noqa: BLE001 (a bug here must not leave a rollout validating for ever)
            findings, notes = (f"it could not be validated, unexpectedly: {error!r}",), ()
        else:
            findings, notes = judge_validation(action.settings, checked, baseline=action.baseline.version)
        return self._build(action, findings, notes, self._clock.now() - begun)

    def _check(self, action: Validate) -> Checked:
        settings = action.settings
        losses, golden = None, None
        if settings.signatures:
            before, after = (
                parse_signatures(self._examiner.signatures(each))
                for each in (action.baseline, action.candidate)
            )
            losses = incompatibilities(before, after)
        if settings.golden or settings.latency_budget_s is not None:
            golden = self._ask_golden(action)
        return Checked(losses=losses, golden=golden)

    def _ask_golden(self, action: Validate) -> GoldenReport:
        request = ValidateRequest(
            path=action.path, tolerance=action.settings.tolerance, timeout_s=VALIDATION_TIMEOUT_S
        )
        return read_report(self._examiner.validate(action.candidate, request))

    def _build(
        self, action: Validate, findings: tuple[str, ...], notes: tuple[str, ...], duration_s: float
    ) -> ValidationOutcome:
        return ValidationOutcome(
            candidate=action.candidate,
            passed=not findings,
            findings=findings,
            notes=notes,
            duration_s=duration_s,
        )


def read_report(report: ValidationReport) -> GoldenReport:
    """What the data plane tells, in the core's words."""
    return GoldenReport(
        examples=report.examples,
        mismatched=report.mismatched,
        worst=tuple(f"{example}: {reason}" for example, reason in report.worst),
        slowest_s=max(report.latencies_s, default=0.0),
        slowest=report.slowest,
    )
