"""Continuous load from a process of its own, and what it saw."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.asking import predict_message
from tests.live.process import LiveServer

LOADGEN = Path(__file__).parents[2] / "target" / "release" / "understudy-loadgen"
DURATION_S_MAX = 120
STOP_TIMEOUT_S = 30
CONNECTIONS = 2
"""Each with one request at a time."""
DOORS = ("predict:grpc", "predict:rest")
LOOKS_MAX = 2_000
"""At the operators' API, for requests of a version: more than enough, and not for ever."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a load generator saw.

    Attributes:
        ok: requests answered.
        failures: the others, by kind, with the first text of each.
        versions: answers by the version that they said had answered; empty for REST.
        mixed: answers that fit no version, or another one than they said.
    """

    ok: int
    failures: dict[str, object]
    versions: dict[str, object]
    mixed: int


class Load:
    """Requests over and over, as fast as answers come, until the context ends."""

    def __init__(self, folder: Path, *, protocol: str, address: str, path: str, body: bytes) -> None:
        self._body = folder / f"{protocol}.body"
        self._body.write_bytes(body)
        self._expected = folder / f"{protocol}.expected.json"
        self._words = [str(LOADGEN), f"--protocol={protocol}", f"--address={address}", f"--path={path}"]
        self.report: Report | None = None

    def expecting(self, outputs_by_version: dict[int, list[float]]) -> Self:
        """Checks each answer against what its version answers."""
        self._expected.write_text(json.dumps(outputs_by_version))
        self._words.append(f"--expect-output-by-version={self._expected}")
        return self

    def __enter__(self) -> Self:
        limits = [f"--duration={DURATION_S_MAX}", f"--connections={CONNECTIONS}", "--until-stdin-closes"]
        self._process = subprocess.Popen(
            [*self._words, f"--body={self._body}", *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        out, err = self._process.communicate(timeout=STOP_TIMEOUT_S)
        if kind is None:
            assert self._process.returncode == 0, err
            data = json.loads(out)
            self.report = Report(data["ok"], data["failures"], data["versions"], data["mixed"] or 0)


def load_by_grpc(folder: Path, server: LiveServer, model: str, x: float) -> Load:
    """A load of Predict calls for `x`."""
    return Load(
        folder,
        protocol="grpc",
        address=server.grpc,
        path="/tensorflow.serving.PredictionService/Predict",
        body=predict_message(model, x),
    )


def load_by_rest(folder: Path, server: LiveServer, model: str, x: float) -> Load:
    """The same over REST."""
    return Load(
        folder,
        protocol="rest",
        address=server.rest,
        path=f"/v1/models/{model}:predict",
        body=json.dumps({"inputs": [x]}).encode(),
    )


def wait_asked(server: LiveServer, model: str, version: int) -> None:
    """Until a version has answered requests of both doors that came after this call.

    So no load ends, and no version goes, before the one has seen the other.
    """
    before = _answered(server, model, version)
    for _ in range(LOOKS_MAX):
        now = _answered(server, model, version)
        if all(now.get(door, 0) > before.get(door, 0) + CONNECTIONS for door in DOORS):
            return
    raise AssertionError(f"requests that version {version} answered: {before}, and much later {now}")


def _answered(server: LiveServer, model: str, version: int) -> dict[str, int]:
    versions = {each["version"]: each for each in server.status(model)["versions"]}
    return {each["method"]: each["requests"] for each in versions[version]["methods"]}
