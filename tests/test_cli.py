"""The command line: what it prints where, its exit codes, and what it leaves on disk."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from bgtasks import __version__
from conftest import CommandLine

SAFE = ["--set", "task_loss=acceptable"]

QUESTIONS = [
    "slowest_task",
    "task_loss",
    "work",
    "tracking",
    "infrastructure",
    "code_style",
    "servers",
    "workflows",
    "jobs_per_day",
    "memory",
    "cores",
]


def recorded(project: Path) -> dict[str, object]:
    answers: dict[str, object] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return {key: value for key, value in answers.items() if not key.startswith("_")}


def files(project: Path) -> dict[str, bytes]:
    """Give the bytes of each file, without the secrets, which are different each time."""
    paths = [path.relative_to(project) for path in project.rglob("*") if path.is_file()]
    return {str(path): (project / path).read_bytes() for path in paths if path.parts[0] != "secrets"}


def next_steps(result: Result) -> list[str]:
    return [line.strip() for line in result.stdout.split("\nNext steps:\n")[1].splitlines()]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["new", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from bgtasks.__main__ import run; run()"
    run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    imported = set(run.stdout.split())
    assert "typer" in imported
    assert not imported & {"copier", "questionary", "prompt_toolkit", "jinja2", "yaml"}


def test_the_version_is_the_packages(bgtasks: CommandLine) -> None:
    assert bgtasks("--version").stdout == f"bgtasks {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["new"], ["new", "orders", "--set", "work"], ["new", "orders", "--set", "=io"], ["old"], ["new", "orders", "--x"]],
    ids=" ".join,
)
def test_a_usage_error_exits_2(bgtasks: CommandLine, words: list[str]) -> None:
    result = bgtasks(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_set_counts_before_the_answers_file_and_both_before_defaults(bgtasks: CommandLine) -> None:
    Path("answers.yml").write_text("work: cpu\ncores: 4\nproject_name: From file\n")
    assert bgtasks("new", "orders", "--defaults", "--answers", "answers.yml", "--set", "work=mixed").exit_code == 0
    answers = recorded(Path("orders"))
    assert (answers["work"], answers["cores"], answers["project_name"]) == ("mixed", 4, "From file")
    assert answers["task_loss"] == "never"


def test_what_copier_notes_about_itself_is_ignored_in_a_file_only(bgtasks: CommandLine) -> None:
    Path("answers.yml").write_text("_commit: v9\nwork: cpu\n")
    assert bgtasks("recommend", "--defaults", "--answers", "answers.yml").exit_code == 0
    refused = bgtasks("recommend", "--defaults", "--set", "_commit=v9")
    assert refused.exit_code == 1
    assert "There is no question `_commit`" in refused.stderr


def test_the_project_is_called_like_its_directory(bgtasks: CommandLine) -> None:
    bgtasks("new", "some/where/../orders", "--defaults")
    assert recorded(Path("some/orders"))["project_name"] == "orders"


def test_without_a_terminal_open_questions_are_named_with_their_flags(bgtasks: CommandLine) -> None:
    result = bgtasks("new", "orders", "--set", "work=io")
    assert result.exit_code == 1
    assert [key for key in QUESTIONS if f"--set {key}=" in result.stderr] == [key for key in QUESTIONS if key != "work"]
    assert "--defaults" in result.stderr
    assert os.listdir() == []


def test_answers_to_every_question_need_neither_terminal_nor_defaults(bgtasks: CommandLine) -> None:
    bgtasks("new", "first", "--defaults", "--set", "cores=3")
    result = bgtasks("new", "second", "--answers", "first/.copier-answers.yml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files(Path("second")) == files(Path("first"))


BAD_ANSWERS = {
    "unknown key": ("wrok: io", ["wrok", "work"]),
    "wrong value": ("work: gpu", ["work", "gpu", "io, cpu, mixed"]),
    "did you mean": ("tracking: statsu", ["tracking", "statsu", "Did you mean status"]),
    "wrong type": ("cores: many", ["cores", "many", "number"]),
    "list for a text": ("project_name: [a]", ["project_name", "'a'"]),
    "no duration": ("slowest_task: 90", ["slowest_task", "90"]),
    "path as a name": ("project_name: ../x", ["project_name", "../x"]),
    "no mapping": ("- work", ["not a mapping"]),
    "no backend may lose": ("{backend: backgroundtasks, task_loss: never}", ["backgroundtasks", "task_loss=never"]),
    "no such broker": ("{backend: arq, infrastructure: rabbitmq}", ["arq", "infrastructure=rabbitmq"]),
}


@pytest.mark.parametrize("content, named", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
@pytest.mark.parametrize("command", [["new", "orders"], ["recommend", "--json"]], ids=["new", "recommend"])
def test_bad_answers_are_one_clear_error_and_nothing_is_written(
    bgtasks: CommandLine, command: list[str], content: str, named: Sequence[str]
) -> None:
    Path("answers.yml").write_text(content)
    result = bgtasks(*command, "--defaults", "--answers", "answers.yml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("error: ") == 1
    assert all(word in result.stderr for word in [*named, "\nhint: "])
    assert os.listdir() == ["answers.yml"]


def test_a_missing_answers_file_is_an_error_of_the_answers(bgtasks: CommandLine) -> None:
    result = bgtasks("new", "orders", "--answers", "nowhere.yml")
    assert (result.exit_code, os.listdir()) == (1, [])
    assert result.stderr.startswith("error: Cannot read the answers file `nowhere.yml`\n  No such file")


def test_a_taken_directory_is_refused_before_anything_is_said(bgtasks: CommandLine) -> None:
    Path("orders").mkdir()
    Path("orders/pyproject.toml").write_text("mine")
    Path("orders/notes.txt").touch()
    for dry in ([], ["--dry-run"]):
        result = bgtasks("new", "orders", "--defaults", *dry)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "also has: pyproject.toml\n  It also holds: notes.txt\n" in result.stderr
    assert sorted(os.listdir("orders")) == ["notes.txt", "pyproject.toml"]


def test_a_project_that_is_there_already_is_updated_with_another_command(bgtasks: CommandLine) -> None:
    bgtasks("new", "my orders", "--defaults")
    result = bgtasks("new", "my orders", "--defaults")
    assert result.exit_code == 1
    assert "or run `bgtasks update 'my orders'`" in result.stderr


def test_an_unknown_release_is_refused_with_those_that_are_known(bgtasks: CommandLine) -> None:
    result = bgtasks("new", "orders", "--defaults", "--release", "9.9.9")
    assert (result.exit_code, os.listdir()) == (1, [])
    assert result.stderr.startswith("error: There is no release 9.9.9\n")
    assert __version__ in result.stderr


def test_a_dry_run_lists_what_the_run_then_writes(bgtasks: CommandLine) -> None:
    dry = bgtasks("new", "orders", "--defaults", "--dry-run")
    assert (dry.exit_code, os.listdir()) == (0, [])
    bgtasks("new", "orders", "--defaults")
    assert "Recommended: Huey" in dry.stdout
    assert dry.stdout.split("Would write into orders:\n")[1].splitlines() == sorted(files(Path("orders")))


def test_quiet_prints_nothing_not_even_what_overruling_costs(bgtasks: CommandLine) -> None:
    words = ["--defaults", "--quiet", "--set", "infrastructure=redis", "--set", "backend=celery"]
    result = bgtasks("new", "orders", *words)
    assert (result.exit_code, result.output, os.listdir()) == (0, "", ["orders"])


def test_overruling_is_allowed_and_its_cost_is_said(bgtasks: CommandLine) -> None:
    result = bgtasks("new", "orders", "--defaults", "--set", "infrastructure=redis", "--set", "backend=celery")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: Celery instead of the recommended ")
    assert "\n  Celery has the most to operate" in result.stderr


@pytest.mark.parametrize(
    "words, servers",
    [
        ([], []),
        (["--set", "infrastructure=redis"], ["redis"]),
        (["--set", "infrastructure=rabbitmq"], ["redis rabbitmq"]),
        (["--set", "infrastructure=redis", *SAFE], []),
    ],
    ids=["file", "redis", "rabbitmq", "in the API"],
)
def test_the_next_steps_are_the_readmes_for_what_this_project_needs(
    bgtasks: CommandLine, monkeypatch: pytest.MonkeyPatch, words: list[str], servers: list[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/somewhere/uv")
    first, *steps = next_steps(bgtasks("new", "my orders", "--defaults", *words))
    assert first == "cd 'my orders'"
    assert [step.split(" --wait ")[1] for step in steps if step.startswith("docker")] == servers
    commands = [line.strip() for line in Path("my orders/README.md").read_text().splitlines()]
    assert [command for command in commands if command in steps] == steps


def test_the_next_steps_use_pip_where_uv_is_not_installed(
    bgtasks: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    _, install, start = next_steps(bgtasks("new", "orders", "--defaults"))
    assert f"Without uv: `{install}`" in Path("orders/README.md").read_text()
    assert start == ".venv/bin/poe dev"


def test_recommend_as_json_is_one_object_of_the_documented_shape(bgtasks: CommandLine) -> None:
    result = bgtasks("recommend", "--json", "--defaults", "--set", "infrastructure=redis")
    found = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(found) == ["backend", "strength", "runner_up", "reasons", "flips", "verdicts", "derived"]
    assert found["strength"] in {"clear", "close"}
    assert {tuple(flip) for flip in found["flips"]} == {("question", "answer", "backend")}
    assert {tuple(verdict) for verdict in found["verdicts"]} == {("backend", "admissible", "reasons")}
    assert {"soft_limit_s", "hard_limit_s", "concurrency", "memory_mb"} <= found["derived"].keys()


def test_recommend_for_people_says_what_for_and_against(bgtasks: CommandLine) -> None:
    result = bgtasks("recommend", "--defaults")
    assert result.exit_code == 0
    assert result.stdout.startswith("Recommended: Huey")
    assert "Celery (not possible): Celery needs Redis or RabbitMQ" in result.stdout
    assert "\n  task_loss=acceptable: BackgroundTasks\n" in result.stdout


def test_the_matrix_is_shown_with_every_reason_and_source(bgtasks: CommandLine) -> None:
    rules = json.loads(bgtasks("matrix", "--json").stdout)["rules"]
    shown = bgtasks("matrix").stdout
    assert len(rules) > 20
    assert all((rule.get("veto") or rule["reason"]) in shown and rule["source"] in shown for rule in rules)


def test_an_unforeseen_exception_keeps_its_traceback_and_is_called_a_bug(
    bgtasks: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgtasks.show.next_steps", lambda *_: 1 // 0)
    result = bgtasks("new", "orders", "--defaults")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "error: this is a bug in bgtasks" in result.stderr


SLOW_RUN = textwrap.dedent(
    """
    import bgtasks.render, pathlib, sys, time

    def run_copy(source, stage, **options):
        stage.mkdir()
        (stage / "README.md").write_text("half")
        print("half way", flush=True)
        time.sleep(30)

    bgtasks.render.run_copy = run_copy
    from bgtasks.__main__ import run
    run()
    """
)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_files_are_written_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    words = [sys.executable, "-c", SLOW_RUN, "new", "some/orders", "--defaults", "--quiet"]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    # A shell that runs the tests in the background lets them ignore Ctrl-C, and children inherit that.
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "half way\n"
        time.sleep(0.1)
        run.send_signal(number)
        assert run.wait(10) == code
    assert os.listdir(tmp_path) == ["tmp"]
    assert os.listdir(temporary) == []


def test_completion_offers_questions_with_their_answers(tmp_path: Path) -> None:
    typed = {"COMP_WORDS": "bgtasks new orders --set work=", "COMP_CWORD": "4", "_BGTASKS_COMPLETE": "complete_bash"}
    run = subprocess.run(
        [sys.executable, "-m", "bgtasks"], env={**os.environ, **typed}, cwd=tmp_path, capture_output=True, text=True
    )
    assert run.stdout.split() == ["work=io", "work=cpu", "work=mixed"]


def test_a_reader_that_goes_away_is_no_bug() -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-m", "bgtasks", "matrix"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (run.returncode, run.stderr) == (1, "")
