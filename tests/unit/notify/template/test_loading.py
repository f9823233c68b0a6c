"""Template files: which are read, what replaces what, and how an error is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.errors import ConfigError
from tocsin.notify.template import Field, data_from_json, load_templates
from tocsin.notify.template.files import BadPatternError, glob
from tocsin.notify.template.loading import LARGEST_FILE, MOST_FILES


def rendered(folder: Path, text: str, globs: tuple[str, ...] = ("*.tmpl",)) -> str:
    return load_templates(globs, str(folder)).text(Field("field", text), data_from_json({}))


def test_globs_are_gos(tmp_path: Path) -> None:
    for name in ("a.tmpl", ".hidden.tmpl", "b[1].tmpl", "é.tmpl", "x-y", "sub/c.tmpl", "sub2/d.tmpl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(pattern: str) -> list[str]:
        return [str(Path(found).relative_to(tmp_path)) for found in glob(f"{tmp_path}/{pattern}")]

    assert names("*.tmpl") == [".hidden.tmpl", "a.tmpl", "b[1].tmpl", "é.tmpl"]
    assert names("?.tmpl") == ["a.tmpl", "é.tmpl"]
    assert names("[^b-z].tmpl") == ["a.tmpl", "é.tmpl"]
    assert names("b\\[1\\].tmpl") == ["b[1].tmpl"]
    assert names("sub*/*.tmpl") == ["sub/c.tmpl", "sub2/d.tmpl"]
    assert names("x\\-y") == ["x-y"]
    assert names("none*") == []
    assert names("a.tmpl") == ["a.tmpl"]


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "[-]", "[a-]", "x\\", "[!"])
def test_a_pattern_that_is_none(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(BadPatternError):
        glob(f"{tmp_path}/{pattern}")
    with pytest.raises(ConfigError, match="syntax error in pattern"):
        load_templates([pattern], str(tmp_path))


def test_files_count_by_name_and_globs_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "x" }}a{{ end }}')
    (tmp_path / "b.tmpl").write_text('{{ define "x" }}b{{ end }}')
    (tmp_path / "c.tmpl").write_text('{{ define "x" }}  {{/* blank */}} {{ end }}')
    assert rendered(tmp_path, '{{ template "x" }}') == "b"
    assert rendered(tmp_path, '{{ template "x" }}', ("b.tmpl", "a.tmpl")) == "a"


def test_a_definition_of_ones_own_replaces_a_built_in_one_wherever_that_is_used(tmp_path: Path) -> None:
    (tmp_path / "own.tmpl").write_text('{{ define "__subject" }}mine{{ end }}')
    assert rendered(tmp_path, '{{ template "slack.default.title" . }}') == "mine"
    assert "mine" not in rendered(tmp_path / "none", '{{ template "slack.default.title" . }}')


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert rendered(tmp_path, "{{ 1 }}", ("none/*.tmpl", "x.tmpl")) == "1"


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        ('{{ define "x" }}\n{{ toUper "a" }}{{ end }}', ":2", "toUper", "did you mean toUpper?"),
        ('{{ define "x" }}\n\n{{ if true }}', "", "unexpected EOF", "{{ end }} is missing"),
        ("{{ end }}", ":1", "unexpected {{end}}", "one {{ end }} too many"),
        ("{{ $x }}", ":1", "undefined variable", ""),
    ],
)
def test_a_file_that_is_no_template_is_refused_with_its_place_and_a_hint(
    tmp_path: Path, text: str, place: str, problem: str, hint: str
) -> None:
    (tmp_path / "bad.tmpl").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_templates(["*.tmpl"], str(tmp_path))
    assert caught.value.location.startswith(f"{tmp_path}/bad.tmpl{place}")
    assert problem in caught.value.problem
    assert hint in caught.value.hint


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.tmpl").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_templates(["*.tmpl"], str(tmp_path))


def test_a_file_beyond_measure_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "large.tmpl").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ConfigError, match="more than 4 MiB"):
        load_templates(["*.tmpl"], str(tmp_path))


def test_files_past_a_bound_are_refused_however_small_and_however_named(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.tmpl").touch()
    with pytest.raises(ConfigError, match="more than 10,000 files"):
        load_templates(["*.tmpl"] * (MOST_FILES // 100 + 1), str(tmp_path))


def test_a_folder_that_cannot_be_looked_at_has_no_files(tmp_path: Path) -> None:
    """As in Go."""
    assert glob(f"{tmp_path}/{'x' * 300}/*.tmpl") == []
