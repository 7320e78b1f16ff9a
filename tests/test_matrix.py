"""The matrix file: what it refuses about itself, and what it promises to the template."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from bgtasks.errors import MatrixError
from bgtasks.matrix import LADDER, load_matrix
from bgtasks.questions import load_questions

ROOT = Path(__file__).parents[1]
MATRIX = load_matrix(ROOT / "matrix.yml")

Change = Callable[[Any], object]

BROKEN: dict[str, tuple[str, Change]] = {
    "a rule on an unknown backend": ("No backend `rq`", lambda raw: raw["rules"][0].update(backends=["rq"])),
    "a rule on an unknown question": ("No level `size=", lambda raw: raw["rules"][0].update(when={"size": ["big"]})),
    "a rule on an unknown level": ("No level `work=gpu`", lambda raw: raw["rules"][0].update(when={"work": ["gpu"]})),
    "a rule with veto and points": ("either a veto or points", lambda raw: raw["rules"][0].update(points=1)),
    "a rule with neither": ("either a veto or points", lambda raw: raw["rules"][0].pop("veto")),
    "a rule that says nothing": ("says nothing", lambda raw: raw["rules"][-1].update(points=0)),
    "a rule without a source": ("source", lambda raw: raw["rules"][0].pop("source")),
    "a missing broker without a reason": ("`huey` has", lambda raw: raw["backends"]["huey"]["brokers"].pop("none")),
    "a broker that a rule vetoes": ("`arq` has", lambda raw: raw["backends"]["arq"]["brokers"].update(none="file")),
    "no rules": ("KeyError", lambda raw: raw.pop("rules")),
}


def write_matrix(directory: Path, change: Change) -> Path:
    raw = yaml.safe_load((ROOT / "matrix.yml").read_bytes())
    change(raw)
    path = directory / "matrix.yml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


@pytest.mark.parametrize("problem, change", BROKEN.values(), ids=BROKEN.keys())
def test_a_matrix_that_contradicts_itself_is_refused(tmp_path: Path, problem: str, change: Change) -> None:
    with pytest.raises(MatrixError) as refused:
        load_matrix(write_matrix(tmp_path, change))

    assert problem in refused.value.why


@pytest.mark.parametrize("text", ["rules: [", "just words", ""])
def test_a_file_that_is_no_matrix_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "matrix.yml"
    path.write_text(text)

    with pytest.raises(MatrixError, match=r"matrix\.yml is no decision matrix"):
        load_matrix(path)


@pytest.mark.parametrize(
    "change",
    [lambda raw: raw["levels"].update(gpu=["yes"]), lambda raw: raw["levels"]["servers"].append("none")],
    ids=["a question of its own", "a level of its own"],
)
def test_a_matrix_that_differs_from_the_questions_is_refused(tmp_path: Path, change: Change) -> None:
    write_matrix(tmp_path, change)
    for name in ("copier.yml", "derive.jinja", "recommend.jinja", "reasons.jinja"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())

    with pytest.raises(MatrixError, match=r"matrix\.yml and copier\.yml differ on `(gpu|servers)`"):
        load_questions(tmp_path)


@pytest.mark.parametrize("rule", MATRIX.rules, ids=lambda rule: f"{rule.backends[0]}: {rule.reason[:40]}")
def test_every_rule_gives_a_developer_a_sentence_and_its_source(rule: Any) -> None:
    assert re.fullmatch(r"[A-Z].{20,140}\.", rule.reason), "a sentence of one line"
    assert len(rule.source) > 15


@pytest.mark.parametrize(
    "duration, level",
    [
        ("1ms", "up_to_1s"),
        ("1s", "up_to_1s"),
        ("1000ms", "up_to_1s"),
        ("1001ms", "up_to_5s"),
        ("5s", "up_to_5s"),
        ("5.001s", "up_to_10s"),
        ("10s", "up_to_10s"),
        ("10001ms", "over_10s"),
        ("168h", "over_10s"),
    ],
)
def test_a_duration_belongs_to_the_first_rung_that_it_does_not_exceed(duration: str, level: str) -> None:
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT))  # noqa: S701 - prints keys
    macros: Any = env.get_template("recommend.jinja").module

    assert MATRIX.level(LADDER, duration) == level
    assert macros.rung(MATRIX.raw, duration) == level


def test_every_preset_lies_on_its_own_rung() -> None:
    for rung in MATRIX.ladder:
        assert {MATRIX.level(LADDER, preset) for preset in rung.presets} == {rung.level}


def test_backends_run_from_the_least_to_the_most_to_operate() -> None:
    assert list(MATRIX.backends) == ["backgroundtasks", "huey", "arq", "dramatiq", "celery"]


def test_every_broker_of_a_backend_has_its_requirements_and_a_job_store() -> None:
    for backend in MATRIX.backends.values():
        assert set(backend.requires) == set(backend.brokers.values())
        assert all(broker in MATRIX.raw["stores"] for broker in backend.requires)


def test_every_overlay_folder_is_a_layer_that_some_answers_turn_on() -> None:
    layers = {"base", *MATRIX.backends, *MATRIX.levels["workflows"]}
    layers |= {f"{style}_style" for style in MATRIX.levels["code_style"]}
    for key, backend in MATRIX.backends.items():
        layers |= set(backend.layers)
        for broker in backend.requires:
            layers |= {f"{broker}_broker", f"{MATRIX.raw['stores'][broker]}_store", f"{key}_{broker}"}

    for folder in (path for path in (ROOT / "template").glob("{{*") if path.is_dir()):
        match = re.fullmatch(r"\{\{ on\.(\w+) \}\}", folder.name)
        assert match, folder.name
        assert match[1] in layers, folder.name
