"""A server with one model that is rolled out, and what is ordered and asked of it by the operators' API."""

import http.client
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import half_plus_two_messages as messages
from benchmarks.one_model import OneModel, Publish
from benchmarks.server_process import ServerFailedError, ServerProcess

BASELINE, CANDIDATE = 1, 2
READY_S = 30.0
POLL_S = 0.1
ROLLOUT = f"/v1/models/{messages.MODEL_NAME}/rollout"


def server_command() -> list[str]:
    """A server without models, on free ports."""
    ports = [f"--{door}-port=0" for door in ("grpc", "rest", "admin")]
    program = str(Path(sys.executable).parent / "understudy")
    return [program, "serve", "--host=127.0.0.1", *ports, "--log-format=json"]


def call(server: ServerProcess, verb: str, path: str, body: object = None) -> Mapping[str, object]:
    """One question of the operators' API."""
    connection = http.client.HTTPConnection(str(server.admin), timeout=READY_S)
    text = None if body is None else json.dumps(body)
    connection.request(verb, path, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    payload: Mapping[str, object] = json.loads(answer.read())
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFailedError(f"{verb} {path} was answered with {answer.status}: {payload}")
    return payload


def order_rollout(model: OneModel, plan: Mapping[str, object], publish: Publish) -> None:
    """Orders a rollout and publishes its candidate."""
    order = {"candidate": CANDIDATE, "plan": json.dumps(plan), "by": "benchmark"}
    call(model.server, "POST", ROLLOUT, order)
    publish(model.base_path, CANDIDATE)


def wait_phase(model: OneModel, phase: str) -> None:
    """Waits until its rollout is there."""
    until = time.monotonic() + READY_S
    while (now := call(model.server, "GET", ROLLOUT))["phase"] != phase:
        if time.monotonic() > until:
            raise ServerFailedError(f"the rollout is not {phase}: {now}")
        time.sleep(POLL_S)
