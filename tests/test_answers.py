"""Reading `--answers` and `--set`, before anything is checked."""

from pathlib import Path

import pytest

from bgtasks.answers import read_answers, read_settings
from bgtasks.errors import AnswersError


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"- work\n", "not a mapping"),
        (b"", "not a mapping"),
        (b"work", "not a mapping"),
        (b"work: [io\n", "not YAML"),
        (b"work: \xff\xfe", "not YAML"),
        (b"work: \x00", "not YAML"),
        (b"work: io\ncores: 2\nwork: cpu\n", "answers `work` twice"),
        (b"work: io\n#" + b" " * 1_000_000, "larger than 1 MB"),
        (b"!!python/object/apply:os.getcwd []", "not YAML"),
    ],
    ids=["list", "empty", "text", "unclosed", "not-utf-8", "control", "repeated", "large", "python-object"],
)
def test_a_file_that_is_no_mapping_of_answers_is_refused_by_name(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "answers.yml").write_bytes(content)
    with pytest.raises(AnswersError, match=problem) as caught:
        read_answers(tmp_path / "answers.yml")
    assert "answers.yml" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["missing.yml", "."])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(AnswersError, match="Cannot read") as caught:
        read_answers(tmp_path / name)
    assert caught.value.why in {"No such file or directory", "Is a directory"}


def test_only_the_first_equals_sign_divides_and_the_last_word_counts() -> None:
    assert read_settings(["work=io", "project_name=a=b", "work=cpu"]) == {"work": "cpu", "project_name": "a=b"}


def test_a_file_without_an_end_is_refused_as_too_large() -> None:
    with pytest.raises(AnswersError, match="larger than 1 MB"):
        read_answers(Path("/dev/zero"))
