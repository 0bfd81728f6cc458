"""The commands about rollouts, traffic and quarantine, against a real control plane: texts and exit codes."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.live.control_plane import TIMEOUT_S, ControlPlane
from understudy.cli.main import main


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


class Shell:
    """Calls commands against a control plane."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder

    def call(self, line: str, *more: str) -> Result:
        environment = {"UNDERSTUDY_ADMIN_URL": self.plane.url}
        return CliRunner().invoke(main, [*line.split(), *more], env=environment)

    def file(self, text: str) -> str:
        path = self.folder / "plan.yaml"
        path.write_text(text)
        return str(path)

    def state(self) -> dict[str, object]:
        """The rollout of m, as JSON."""
        found: dict[str, object] = json.loads(self.call("rollout status m --json").output)
        return found


@pytest.fixture
def shell(plane: ControlPlane, tmp_path: Path) -> Shell:
    return Shell(plane, tmp_path)


def test_a_rollout_is_begun_looked_at_and_told(shell: Shell) -> None:
    begun = shell.call("rollout start m --to 2 --by ann@desk")
    assert begun.exit_code == 0, begun.output
    assert begun.output.startswith("ROLLOUT")
    assert begun.output.endswith("It waits for version 2 to be ready.\n")
    rollout = str(shell.state()["id"])
    shown = shell.call("rollout status m")
    assert shown.exit_code == 0
    assert "2 in place of 1" in shown.output
    assert "shadow > 1 % > 5 % > 25 % > 50 % > 100 %" in shown.output
    assert rollout in shell.call("rollout status").output
    assert rollout in shell.call("rollout history m").output
    told = shell.call(f"rollout show {rollout}").output.splitlines()
    assert [line.split()[2] for line in told[1:]] == ["rollout_started"]
    assert "ann@desk" in told[1]
    assert "rollout_started" not in shell.call(f"rollout show {rollout} --numbers").output


def test_an_export_is_the_whole_story_as_json(shell: Shell) -> None:
    shell.call("rollout start m --to 2")
    rollout = str(shell.state()["id"])
    target = shell.folder / "story.json"
    assert shell.call(f"rollout export {rollout} --to", str(target)).exit_code == 0
    story = json.loads(target.read_text())
    assert (story["rollout"]["id"], story["decisions"][0]["kind"]) == (rollout, "rollout_started")
    assert json.loads(shell.call(f"rollout export {rollout}").output)["rollout"]["plan"]["crashes_max"] == 2
    missing = shell.folder / "missing.json"
    assert shell.call("rollout export m-9-9 --to", str(missing)).exit_code == 1
    assert not missing.exists(), "what could not be asked for leaves no file"


def test_steps_shadow_and_plan_are_taken_from_the_command_line(shell: Shell) -> None:
    plan = shell.file("steps: [{weight: 2 %, dwell: 3 s}]\nautomatic: false")
    assert shell.call("rollout start m --to 2 --no-shadow --steps 10,50% --plan", plan).exit_code == 0
    taken = shell.state()["plan"]
    assert isinstance(taken, dict)
    assert [(each["weight"], each["dwell_s"]) for each in taken["steps"]] == [(1_000, 3), (5_000, 3)]
    assert (taken["shadow"], taken["is_automatic"]) == (None, False)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("stebs: [1 %]", "", "plan.yaml:1:1"),
        ("steps: [1]", "", "plan.yaml:1:9"),
        ("", "--steps a,b", "is no list of shares"),
        ("", "--steps 5,5", "have to ascend"),
    ],
)
def test_a_plan_that_cannot_be_taken_is_exit_code_2(
    shell: Shell, text: str, options: str, words: str
) -> None:
    result = shell.call(f"rollout start m --to 2 {options} --plan", shell.file(text))
    assert (result.exit_code, words in result.output) == (2, True), result.output
    assert shell.call("rollout status m").exit_code == 1


def test_a_plan_file_that_is_not_there_is_exit_code_2(shell: Shell) -> None:
    result = shell.call("rollout start m --to 2 --plan nowhere.yaml")
    assert (result.exit_code, "nowhere.yaml cannot be read" in result.output) == (2, True)


def test_a_rollout_is_steered_and_its_end_is_an_exit_code(shell: Shell) -> None:
    shell.call("rollout start m --to 2")
    assert "held: operator" in shell.call("rollout pause m").output
    assert shell.call("rollout status m").exit_code == 5
    assert shell.call("rollout resume m").exit_code == 0
    approved = shell.call("rollout approve m")
    assert (approved.exit_code, "waits for no approval" in approved.output) == (1, True)
    promoted = shell.call("rollout promote m")
    assert (promoted.exit_code, "Version 2 of m is not ready" in promoted.output) == (1, True)
    undone = shell.call("rollout undo m")
    assert (undone.exit_code, "understudy rollout abort" in undone.output) == (1, True)
    aborted = shell.call("rollout abort m --yes --reason", "wrong labels")
    assert aborted.exit_code == 0
    assert "wrong labels" in aborted.output
    assert aborted.output.endswith("Version 2 was rolled back; m serves version 1.\n")
    assert shell.call("rollout status m").exit_code == 4
    assert "rolled back" in shell.call("rollout status").output


def test_who_waits_for_a_rollout_reads_its_story_and_gets_its_end_as_exit_code(shell: Shell) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shell.call, "rollout start m --to 2 --wait 60")
        wait_present(shell)
        shell.plane.api.post("/v1/models/m/rollout/abort", json={"reason": "wrong labels", "by": "bob"})
        result = waiting.result(TIMEOUT_S)
    assert result.exit_code == 4
    lines = result.output.splitlines()
    assert lines[0].endswith("has begun: version 2 in place of 1.")
    assert "waiting, 0 %: version 2 is to take the place of version 1 (" in lines[1]
    assert any("rolled back, 0 %: wrong labels" in line and line.endswith("(bob)") for line in lines)
    assert lines[-1] == "Version 2 was rolled back; m serves version 1."


def test_who_waits_is_told_when_an_operator_is_needed(shell: Shell) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shell.call, "rollout start m --to 2 --wait")
        wait_present(shell)
        shell.plane.api.post("/v1/models/m/rollout/pause", json={})
        result = waiting.result(TIMEOUT_S)
    assert result.exit_code == 5
    assert result.output.endswith("It waits for `understudy rollout resume m`: an operator paused it.\n")


def test_a_wait_that_is_over_says_what_is_missing(shell: Shell) -> None:
    result = shell.call("rollout start m --to 2 --wait 0")
    assert result.exit_code == 5
    assert result.output.endswith("It waits for version 2 to be ready.\n")
    assert shell.state()["phase"] == "waiting", "the rollout goes on"


def test_programs_that_wait_get_a_document_for_each_decision(shell: Shell) -> None:
    result = shell.call("rollout start m --to 2 --wait 0 --json")
    assert [json.loads(line)["kind"] for line in result.output.splitlines()] == ["rollout_started"]


def test_a_rollout_that_has_ended_is_watched_to_its_end(shell: Shell) -> None:
    shell.call("rollout start m --to 2")
    shell.call("rollout abort m --yes --no-quarantine")
    watched = shell.call("rollout status m --watch")
    assert watched.exit_code == 4
    assert watched.output.endswith("Version 2 was rolled back; m serves version 1.\n")
    nameless = shell.call("rollout status --watch")
    assert (nameless.exit_code, "Name the model" in nameless.output) == (2, True)


def test_without_rollouts_there_is_a_hint(shell: Shell) -> None:
    hint = "`understudy rollout start m --to VERSION`"
    assert hint in shell.call("rollout history m").output
    missing = shell.call("rollout status m")
    assert (missing.exit_code, hint in missing.output) == (1, True)
    assert "`understudy rollout start MODEL --to VERSION`" in shell.call("rollout status").output


def test_quarantine_is_added_listed_and_released(shell: Shell) -> None:
    assert shell.call("quarantine list").output == "No version is quarantined.\n"
    added = shell.call("quarantine add m 7 --by ann@desk --reason", "confuses 4 and 9")
    assert added.output == "Version 7 of m is quarantined.\n"
    for listed in (shell.call("quarantine list"), shell.call("quarantine list m")):
        assert listed.output.splitlines()[1].split()[:2] == ["m", "7"]
        assert listed.output.splitlines()[1].rstrip().endswith("confuses 4 and 9")
    (model,) = json.loads(shell.call("quarantine list --json").output)
    assert (model["model"], model["versions"][0]["by"]) == ("m", "ann@desk")
    assert "m: quarantined: version 7" in shell.call("status").output
    assert "Version 7 is quarantined by ann@desk" in shell.call("why m").output
    again = shell.call("quarantine add m 7")
    assert (again.exit_code, "in quarantine already" in again.output) == (1, True)
    released = shell.call("quarantine release m 7")
    assert released.output == "Version 7 of m may be served again.\n"
    assert shell.call("quarantine release m 7").exit_code == 1


def test_traffic_is_shown_and_split(shell: Shell) -> None:
    assert shell.call("traffic show m").output.splitlines()[1].split() == ["1", "100", "%", "-"]
    refused = shell.call("traffic set m 1=90 9=10")
    assert refused.exit_code == 1
    assert "9" in refused.output
    all_of_it = shell.call("traffic set m 1=100% --by ann@desk")
    assert all_of_it.exit_code == 0, all_of_it.output
    assert "ann@desk set the shares by hand on " in all_of_it.output
    cleared = shell.call("traffic clear m")
    assert cleared.exit_code == 0
    assert "by hand" not in cleared.output
    assert json.loads(shell.call("traffic show m --json").output)["weights_by"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("1=x", "is no share of a version"),
        ("one=100", "is no share of a version"),
        ("1", "is no share of a version"),
        ("1=50 1=50", "named twice"),
        ("1=50", "add up to 50 %"),
    ],
)
def test_shares_that_are_none_are_exit_code_2(shell: Shell, words: str, said: str) -> None:
    result = shell.call(f"traffic set m {words}")
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_a_file_of_plans_is_checked_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.yaml"
    file.write_text(
        "models:\n  digits: {}\n  ranking:\n    starts_itself: false\n    shadow: none\n"
        "    steps: [{weight: 5 %, needs_approval: true}, 50 %]\n    automatic: false\n"
    )
    checked = CliRunner().invoke(main, ["rollout", "check", str(file)])
    assert checked.output.splitlines() == [
        "digits: begins by itself; shadow 10 %, 1 %, 5 %, 25 %, 50 %, 100 %",
        "ranking: waits for an operator; 5 % until approved, 50 %, 100 % when an operator promotes",
    ]
    whole = CliRunner().invoke(main, ["rollout", "check", "--show", str(file)]).output
    file.write_text(whole)
    assert CliRunner().invoke(main, ["rollout", "check", str(file)]).output == checked.output
    file.write_text("models: {digits: {stebs: []}}")
    broken = CliRunner().invoke(main, ["rollout", "check", str(file)])
    assert (broken.exit_code, f"{file}:1:19" in broken.output) == (2, True)
    file.write_text("steps: [3 %]")
    assert CliRunner().invoke(main, ["rollout", "check", "--plan", str(file)]).output == (
        "shadow 10 %, 3 %, 100 %\n"
    )
    file.write_text("")
    assert "names no model" in CliRunner().invoke(main, ["rollout", "check", str(file)]).output
    file.write_bytes(b"\xff\xfe")
    assert CliRunner().invoke(main, ["rollout", "check", str(file)]).exit_code == 2


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ("", None, "Give --id and --truth, or a file"),
        ("--id a", None, "Give --id and --truth, or a file"),
        ("--id a --truth 1", "", "Give --id and --truth, or a file"),
        ("", "{}\n", ":1: "),
        ("", '\n{"request_id": "a", "truth": {}}\n', ":2: "),
        ("", "x" * 70_000, "longer than"),
    ],
)
def test_feedback_that_is_none_is_exit_code_2(shell: Shell, words: str, text: str | None, said: str) -> None:
    files = [] if text is None else [shell.file(text)]
    result = shell.call(f"feedback m {words}", *files)
    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    "line",
    [
        *("rollout start m --to 2", "rollout status", "rollout status m", "rollout history m"),
        *("rollout show m-2-1", "rollout export m-2-1", "rollout pause m", "rollout promote m --yes"),
        *("traffic show m", "traffic set m 1=100", "quarantine list", "quarantine add m 1"),
    ],
)
def test_without_a_server_the_exit_code_is_3(line: str) -> None:
    result = CliRunner().invoke(main, [*line.split(), "--admin-url", "http://127.0.0.1:1"])
    assert result.exit_code == 3
    assert "Is the server running" in result.output


def wait_present(shell: Shell) -> None:
    """Until m has a rollout."""
    deadline = time.monotonic() + TIMEOUT_S
    while not shell.plane.api.get("/v1/rollouts").json()["present"]:
        assert time.monotonic() < deadline
