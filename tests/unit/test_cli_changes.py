"""The commands that show and change the configuration, against a real control plane: texts and exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.live.control_plane import ControlPlane
from understudy.cli.main import main


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


class Shell:
    """Calls commands against a control plane, and writes the files that they are given."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder

    def call(self, *words: str, color: bool = False) -> Result:
        environment = {"UNDERSTUDY_ADMIN_URL": self.plane.url}
        return CliRunner().invoke(main, words, env=environment, color=color)

    def file(self, *names: str, text: str | None = None) -> str:
        path = self.folder / "models.config"
        path.write_text(self.plane.text(*names) if text is None else text)
        return str(path)


@pytest.fixture
def shell(plane: ControlPlane, tmp_path: Path) -> Shell:
    return Shell(plane, tmp_path)


def test_what_is_shown_can_be_applied_again(shell: Shell) -> None:
    shown = shell.call("config", "show")
    assert shown.exit_code == 0
    assert shown.output.startswith("# revision 1 of ")
    assert "(startup, in force)" in shown.output.splitlines()[0]
    applied = shell.call("config", "apply", shell.file(text=shown.output))
    assert applied.output == "Nothing to change: revision 1 says the same.\n"
    assert applied.exit_code == 0


def test_apply_says_what_changed_and_history_who_did_it(shell: Shell) -> None:
    file = shell.file("n", "team/ads")
    trial = shell.call("config", "apply", "--dry-run", file)
    assert trial.output == (
        "It would be taken. Revision 1 stays in force; this would change:\n"
        "  added: n, team/ads\n  removed: m\n"
    )
    applied = shell.call("config", "apply", file, "--detail", "spring cleaning")
    assert applied.output == "In force as revision 2.\n  added: n, team/ads\n  removed: m\n"
    assert (trial.exit_code, applied.exit_code) == (0, 0)
    history = shell.call("config", "history").output.splitlines()
    assert [line.split()[0] for line in history] == ["REVISION", "2", "1"]
    assert history[1].rstrip().endswith("spring cleaning")
    assert " api " in history[1]
    assert " yes " in history[1]
    assert len(shell.call("config", "history", "--limit", "1").output.splitlines()) == 2
    assert len(json.loads(shell.call("config", "history", "--json").output)["revisions"]) == 2


def test_a_new_model_that_fails_is_named_and_the_exit_code_is_1(shell: Shell) -> None:
    shell.plane.exports["n"].synthetic(2, fail_load="cursed")
    applied = shell.call("config", "apply", shell.file("m", "n"))
    assert applied.exit_code == 1
    assert "In force as revision 2." in applied.output
    assert "Model n does not serve: version 2: INVALID_ARGUMENT: " in applied.output
    assert "cursed" in applied.output


def test_a_wait_that_ends_before_the_models_do_says_so(shell: Shell) -> None:
    shell.plane.exports["n"].synthetic(2, load_ms=5000)
    applied = shell.call("config", "apply", shell.file("m", "n"), "--wait", "0")
    assert applied.exit_code == 1
    assert "The time to wait is over; still under way: n." in applied.output


def test_a_broken_file_is_exit_code_2_with_its_place(shell: Shell) -> None:
    file = shell.file(text="model_config_list {\n  confog { }\n}\n")
    for words in (["apply", file], ["diff", file]):
        result = shell.call("config", *words)
        assert result.exit_code == 2
        assert f"({file}:2:3)" in result.output


def test_a_configuration_that_the_server_refuses_says_why(shell: Shell) -> None:
    relative = 'model_config_list { config { name: "r" base_path: "r" model_platform: "synthetic" } }'
    result = shell.call("config", "apply", shell.file(text=relative))
    assert result.exit_code == 2
    assert "Expected model r to have an absolute path" in result.output
    late = shell.call("config", "apply", shell.file("n"), "--if-revision", "7")
    assert late.exit_code == 1
    assert "Revision 1 is in force, and the change was made from revision 7" in late.output


def test_differences_are_shown_and_told_by_the_exit_code(shell: Shell) -> None:
    same = shell.call("config", "diff", shell.file("m"))
    assert (same.exit_code, same.output) == (0, "")
    shell.call("config", "apply", shell.file("m", "n"))
    by_file = shell.call("config", "diff", shell.file("m"))
    by_number = shell.call("config", "diff", "2", "1")
    since = shell.call("config", "diff", "1")
    assert [result.exit_code for result in (by_file, by_number, since)] == [1, 1, 1]
    assert '-    name: "n"' in by_file.output
    assert by_file.output.splitlines()[2:] == by_number.output.splitlines()[2:]
    assert '+    name: "n"' in since.output
    assert "\x1b" not in since.output
    coloured = shell.call("config", "diff", "1", color=True).output
    assert '\x1b[32m+    name: "n"\x1b[0m' in coloured
    as_json = json.loads(shell.call("config", "diff", "1", "--json").output)
    assert as_json["differs"]
    assert as_json["diff"] == since.output.splitlines()


def test_a_file_is_compared_with_what_is_in_force_only(shell: Shell) -> None:
    result = shell.call("config", "diff", shell.file("m"), "1")
    assert result.exit_code == 2
    assert "leave the second argument out" in result.output


def test_rolling_back_brings_an_earlier_revision_in_force(shell: Shell) -> None:
    shell.call("config", "apply", shell.file("n"))
    back = shell.call("config", "rollback", "1")
    assert back.output == "In force as revision 3.\n  added: m\n  removed: n\n"
    again = shell.call("config", "rollback", "1")
    assert again.output == "Nothing to change: revision 3 says the same.\n"
    assert (back.exit_code, again.exit_code) == (0, 0)
    assert json.loads(shell.call("config", "rollback", "2", "--dry-run", "--json").output)["added"] == ["n"]
    missing = shell.call("config", "rollback", "9")
    assert (missing.exit_code, "no revision 9 on record" in missing.output) == (1, True)
    assert shell.call("config", "show", "9").exit_code == 1


def test_a_label_is_waited_for(shell: Shell) -> None:
    shell.call("config", "apply", shell.file("m", "team/ads"))
    moved = shell.call("label", "set", "team/ads", "stable", "1")
    assert moved.exit_code == 0
    assert moved.output.splitlines() == [
        "In force as revision 3. Waiting until version 1 is ready and stable leads to it.",
        "Requests for stable of team/ads reach version 1.",
    ]
    nothing = shell.call("label", "set", "team/ads", "next", "2")
    assert (nothing.exit_code, "not currently available" in nothing.output) == (1, True)
    shell.plane.exports["team/ads"].synthetic(2, load_ms=5000)
    shell.call("config", "apply", shell.file("team/ads"))
    while 2 not in shell.plane.api.get("/v1/models/team/ads").json()["found_versions"]:
        pass  # the look that follows a configuration is on its way
    pending = shell.call("label", "set", "team/ads", "next", "2", "--wait", "0")
    assert pending.exit_code == 1
    assert "next has not moved: version 2 is " in pending.output
    removed = shell.call("label", "remove", "team/ads", "next")
    assert (removed.exit_code, removed.output) == (0, "In force as revision 6.\n")
    assert shell.call("label", "remove", "team/ads", "next").exit_code == 1
    assert shell.call("label", "set", "nobody", "a", "1").exit_code == 1
    assert json.loads(shell.call("label", "set", "team/ads", "a", "1", "--json").output)["labels"][0]["ready"]


def test_a_version_is_tried_again_and_the_outcome_told(shell: Shell) -> None:
    broken = shell.plane.exports["n"].synthetic(2, fail_load="cursed")
    shell.call("config", "apply", shell.file("m", "n"))
    failed = shell.call("version", "retry", "n", "2")
    assert failed.exit_code == 1
    assert failed.output.startswith("an operator asked for another try. Waiting for the outcome.\n")
    assert "Version 2 is error: attempt 1 of 1 failed" in failed.output
    (broken / "synthetic.json").write_text('{"a": 1.0, "b": 0.0, "version": 2}')
    mended = shell.call("version", "retry", "n", "2")
    assert (mended.exit_code, "Version 2 is ready" in mended.output) == (0, True)
    refused = shell.call("version", "retry", "n", "2")
    assert (refused.exit_code, "it has not failed" in refused.output) == (1, True)
    assert shell.call("version", "retry", "n", "7").exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ["config", "show"],
        ["config", "history"],
        ["config", "rollback", "1"],
        ["label", "set", "m", "a", "1"],
        ["version", "retry", "m", "1"],
    ],
)
def test_without_a_server_the_exit_code_is_3(words: list[str]) -> None:
    result = CliRunner().invoke(main, [*words, "--admin-url", "http://127.0.0.1:1"])
    assert result.exit_code == 3
    assert "Is the server running" in result.output


def test_commands_within_commands_complete() -> None:
    complete = {
        "_UNDERSTUDY_COMPLETE": "bash_complete",
        "COMP_WORDS": "understudy config ",
        "COMP_CWORD": "2",
    }
    result = CliRunner().invoke(main, prog_name="understudy", env=complete)
    words = [line.partition(",")[2] for line in result.output.splitlines()]
    assert words == ["apply", "diff", "history", "rollback", "show"]
