"""`tocsinctl certs` as a person uses it."""

from pathlib import Path

import pytest

from tocsin.cli.control import main


def test_from_nothing_to_a_ready_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = str(tmp_path / "certs")
    assert main(["certs", "init", "--dir", directory, "--name", "Night watch"]) == 0
    assert main(["certs", "issue", "one", "--dir", directory, "--host", "127.0.0.1", "--host", "::1"]) == 0
    assert f"{directory}/one/tls.yml" in capsys.readouterr().out
    assert main(["certs", "show", "--dir", directory]) == 0
    shown = capsys.readouterr().out
    assert "Night watch" in shown
    assert "127.0.0.1, ::1" in shown
    assert "365 days left" in shown or "364 days left" in shown


def test_a_refusal_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = str(tmp_path)
    assert main(["certs", "issue", "one", "--dir", directory, "--host", "127.0.0.1"]) == 1
    assert main(["certs", "init", "--dir", directory]) == 0
    assert main(["certs", "init", "--dir", directory]) == 1
    assert main(["certs", "init", "--dir", directory, "--force"]) == 0
    assert main(["certs", "issue", "one", "--dir", directory, "--host", "nowhere:1"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert all(line.startswith("tocsinctl: ") for line in errors)


def test_show_of_a_problem_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", "--dir", str(tmp_path)])
    main(["certs", "issue", "one", "--dir", str(tmp_path), "--host", "127.0.0.1"])
    certificate = str(tmp_path / "one" / "cert.pem")
    assert main(["certs", "show", certificate]) == 0
    assert main(["certs", "show", certificate, "--key", str(tmp_path / "ca-key.pem")]) == 1
    assert "PROBLEM" in capsys.readouterr().out
    assert main(["certs", "show", certificate, certificate, "--key", "k.pem"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["certs"],
        ["certs", "issue", "one"],
        ["certs", "init", "--days", "0"],
        ["certs", "init", "--days", "soon"],
        ["certs", "init", "--d", "x"],
        ["nothing"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: tocsinctl" in capsys.readouterr().err
