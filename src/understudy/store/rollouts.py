"""What is kept of models' traffic: what is in force, rollouts that were, every decision with its numbers.

What `record` has returned survives a crash of process or machine. All times are of the control loop's clock;
on record they are dates, so that durations go on in the next process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from understudy.clock import Calendar, Clock
from understudy.rollout.decision import Change, Decision
from understudy.rollout.state import ModelTraffic, Quarantined, Rollout
from understudy.store.database import Database
from understudy.store.rollout_json import read_json, write_json

ENDED_PER_MODEL_MAX: Final = 100
"""Rollouts of one model that are over and remembered, the newest."""
ENDED_MAX: Final = 10_000
"""Of all models together."""
DECISIONS_PER_ROLLOUT_MAX: Final = 1_000
"""The newest; as many of a model's that belong to no rollout."""
DECISIONS_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of all decisions together: the oldest are forgotten first, those of present rollouts last."""

_Kept = TypeVar("_Kept")


class RolloutStore:
    """Models' traffic on record. Any thread may call; every method may raise StoreError."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._execute = database.execute
        self._clock = clock
        self._calendar = Calendar(clock)

    def record(self, changes: Mapping[str, Change]) -> None:
        """Records what changes, by model, durably: all of it, or nothing."""
        with self._database.writing():
            for model, change in changes.items():
                self._record(model, change)

    def in_force(self) -> dict[str, ModelTraffic]:
        """What is in force, by model."""
        with self._database.reading():
            kept = self._execute(
                "SELECT traffic.model, traffic.state, rollouts.state FROM traffic "
                "LEFT JOIN rollouts ON rollouts.id = traffic.rollout"
            ).fetchall()
            quarantined = self._execute("SELECT model, state FROM quarantine").fetchall()
        traffic = {}
        for model, state, rollout in kept:
            present = None if rollout is None else self._read(rollout, Rollout)
            traffic[str(model)] = replace(self._read(state, ModelTraffic), rollout=present)
        for model, state in quarantined:
            each = self._read(state, Quarantined)
            traffic.setdefault(str(model), ModelTraffic()).quarantined[each.version] = each
        return traffic

    def rollout(self, rollout_id: str) -> Rollout | None:
        """A rollout as it is, or as it ended; none: there is none of that name, or none any more."""
        with self._database.reading():
            row = self._execute("SELECT state FROM rollouts WHERE id = ?", (rollout_id,)).fetchone()
        return None if row is None else self._read(row[0], Rollout)

    def history(self, model: str, limit: int) -> tuple[Rollout, ...]:
        """A model's newest rollouts, the newest first, the present one among them."""
        with self._database.reading():
            rows = self._execute(
                "SELECT state FROM rollouts WHERE model = ? ORDER BY number DESC LIMIT ?", (model, limit)
            ).fetchall()
        return tuple(self._read(state, Rollout) for (state,) in rows)

    def ended(self, limit: int) -> tuple[Rollout, ...]:
        """The newest rollouts of all models that are over, the newest first."""
        with self._database.reading():
            rows = self._execute(
                "SELECT state FROM rollouts WHERE is_ended ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(self._read(state, Rollout) for (state,) in rows)

    def decisions(self, rollout_id: str) -> tuple[Decision, ...]:
        """What was decided in a rollout, oldest first."""
        return tuple(self._find_decisions("rollout = ?", (rollout_id,)))

    def other_decisions(self, model: str) -> tuple[Decision, ...]:
        """What was decided about a model's traffic outside of any rollout, oldest first."""
        return tuple(self._find_decisions("rollout = '' AND model = ?", (model,)))

    def _find_decisions(self, which: str, values: tuple[str, ...]) -> Iterator[Decision]:
        with self._database.reading():
            rows = self._execute(
                f"SELECT decision FROM decisions WHERE {which} ORDER BY number",  # noqa: S608 - our own words
                values,
            ).fetchall()
        return (self._read(text, Decision) for (text,) in rows)

    def _record(self, model: str, change: Change) -> None:
        for ended in change.ended:
            self._put_rollout(ended, is_ended=True)
        traffic = change.traffic
        if traffic.rollout is not None:
            self._put_rollout(traffic.rollout, is_ended=False)
        self._put_traffic(model, traffic)
        self._put_quarantine(model, traffic)
        for decision in change.decisions:
            self._add_decision(decision)
        if change.ended:
            self._forget_ended(model)

    def _put_rollout(self, rollout: Rollout, *, is_ended: bool) -> None:
        self._execute(
            "INSERT INTO rollouts (id, model, is_ended, state) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET is_ended = excluded.is_ended, state = excluded.state",
            (rollout.id, rollout.model, is_ended, self._write(rollout)),
        )

    def _put_traffic(self, model: str, traffic: ModelTraffic) -> None:
        """What has a table of its own is left out of the state."""
        own = replace(traffic, rollout=None, quarantined={})
        if traffic.rollout is None and own == ModelTraffic():
            self._execute("DELETE FROM traffic WHERE model = ?", (model,))
            return
        rollout = None if traffic.rollout is None else traffic.rollout.id
        self._execute("INSERT OR REPLACE INTO traffic VALUES (?, ?, ?)", (model, rollout, self._write(own)))

    def _put_quarantine(self, model: str, traffic: ModelTraffic) -> None:
        self._execute("DELETE FROM quarantine WHERE model = ?", (model,))
        for version, each in traffic.quarantined.items():
            self._execute("INSERT INTO quarantine VALUES (?, ?, ?)", (model, version, self._write(each)))

    def _add_decision(self, decision: Decision) -> None:
        text = self._write(decision)
        about = (decision.model, decision.rollout)
        self._execute(
            "INSERT INTO decisions (model, rollout, bytes, decision) VALUES (?, ?, ?, ?)",
            (*about, len(text.encode()), text),
        )
        self._execute(
            "DELETE FROM decisions WHERE number <= ("
            "SELECT number FROM decisions WHERE model = ?1 AND rollout = ?2 "
            "ORDER BY number DESC LIMIT 1 OFFSET ?3) AND model = ?1 AND rollout = ?2",
            (*about, DECISIONS_PER_ROLLOUT_MAX),
        )

    def _forget_ended(self, model: str) -> None:
        """Rollouts beyond what is remembered, their decisions, and decisions beyond their bytes."""
        self._execute(
            "DELETE FROM rollouts WHERE is_ended AND (number <= ("
            "SELECT number FROM rollouts WHERE is_ended AND model = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2"
            ") AND model = ?1 OR number <= ("
            "SELECT number FROM rollouts WHERE is_ended ORDER BY number DESC LIMIT 1 OFFSET ?3))",
            (model, ENDED_PER_MODEL_MAX, ENDED_MAX),
        )
        self._execute(
            "DELETE FROM decisions WHERE rollout <> '' AND rollout NOT IN (SELECT id FROM rollouts)"
        )
        self._execute(
            "DELETE FROM decisions WHERE number IN (SELECT number FROM ("
            "SELECT number, sum(bytes) OVER (ORDER BY number DESC) AS total FROM decisions) WHERE total > ?)"
            " AND rollout NOT IN (SELECT id FROM rollouts WHERE NOT is_ended)",
            (DECISIONS_BYTES_MAX,),
        )

    def _write(self, value: object) -> str:
        return write_json(value, self._calendar.seconds(0.0))

    def _read(self, text: str, kind: type[_Kept]) -> _Kept:
        return read_json(text, kind, offset_s=self._calendar.seconds(0.0), now=self._clock.now())
