"""An operator of a live server: orders about rollouts and traffic by the operators' API, and what it tells."""

import time
from typing import Any

import requests

from tests.live.process import LiveServer, VersionStatus

TIMEOUT_S = 60
JSON = {"content-type": "application/json"}
LOOK_S = 0.02
"""Between two looks while something is waited for."""


class Operator:
    """Orders about one model."""

    def __init__(self, server: LiveServer, model: str = "m") -> None:
        self._url = f"http://{server.admin}/v1/models/{model}"
        self._model = model
        self._server = server

    def start(self, candidate: int, plan: str = "") -> requests.Response:
        """A rollout."""
        return self._post("rollout", {"candidate": candidate, "plan": plan})

    def turn(self, turn: str) -> requests.Response:
        """`pause`, `resume`, `approve`, `promote`, `undo` or `abort`."""
        return self._post(f"rollout/{turn}", {})

    def set_weights(self, **weights: float) -> requests.Response:
        """Splits traffic by hand: `v1=90, v2=10`, in per cent."""
        shares = {version.removeprefix("v"): share for version, share in weights.items()}
        return requests.put(f"{self._url}/traffic", json={"weights": shares}, timeout=TIMEOUT_S)

    def clear_weights(self) -> requests.Response:
        """The default version answers everything again."""
        return requests.delete(f"{self._url}/traffic", headers=JSON, timeout=TIMEOUT_S)

    def quarantine(self, version: int) -> requests.Response:
        """The version must not be served."""
        return self._post(f"versions/{version}/quarantine", {})

    def release(self, version: int) -> requests.Response:
        """It may be served again."""
        return requests.delete(f"{self._url}/versions/{version}/quarantine", headers=JSON, timeout=TIMEOUT_S)

    def rollout(self) -> dict[str, Any]:
        """The rollout under way, or the last one."""
        return self._get("rollout")

    def traffic(self) -> dict[str, Any]:
        """Who answers, and why."""
        return self._get("traffic")

    def quarantined(self) -> set[int]:
        """The versions that must not be served."""
        return {each["version"] for each in self.traffic()["quarantined"]}

    def loaded(self) -> set[int]:
        """The versions that are ready."""
        return {each["version"] for each in self._versions() if each["state"] == "ready"}

    def wait_phase(self, *phases: str) -> dict[str, Any]:
        """Until the rollout is in one of these."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            rollout = self.rollout()
            if rollout["phase"] in phases:
                return rollout
            assert time.monotonic() < deadline, (rollout, self._server.tail())
            time.sleep(LOOK_S)

    def wait_loaded(self, *versions: int) -> None:
        """Until exactly these versions are ready."""
        deadline = time.monotonic() + TIMEOUT_S
        while (loaded := self.loaded()) != set(versions):
            assert time.monotonic() < deadline, (loaded, self._server.tail())
            time.sleep(LOOK_S)

    def _versions(self) -> list[VersionStatus]:
        return self._server.status(self._model)["versions"]

    def _post(self, path: str, body: dict[str, object]) -> requests.Response:
        return requests.post(f"{self._url}/{path}", json=body, timeout=TIMEOUT_S)

    def _get(self, path: str) -> dict[str, Any]:
        answer = requests.get(f"{self._url}/{path}", timeout=TIMEOUT_S)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
