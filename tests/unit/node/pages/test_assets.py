"""The files of the pages: what is vendored, how they are served, and what they may not hold."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx

from tests.support.api_backend import LoneNode
from tocsin.node.api import create_app
from tocsin.node.pages.assets import FOLDER, Assets

VENDOR = FOLDER / "vendor"
OURS = [path for path in sorted(FOLDER.rglob("*.js")) if VENDOR not in path.parents]
TOO_MUCH_FOR_ONE_HEAD = 400


def ask(*paths: str, prefix: str = "/", method: str = "GET", **headers: str) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=create_app(LoneNode(), route_prefix=prefix))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            return [await http.request(method, path, headers=headers) for path in paths]

    return asyncio.run(run())


def test_what_is_vendored_is_what_its_authors_published() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    files = {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    assert files - {name for name in files if name.endswith(".d.mts")} == set(manifest)
    for name, told in manifest.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == told["sha256"], name
        assert (VENDOR / f"{told['package']}-LICENSE").is_file()
        assert told["license"]


def test_all_that_a_module_names_is_there() -> None:
    files = Assets().files
    for name, body in files.items():
        if not name.endswith(("js",)):
            continue
        for found in re.findall(r'(?:from|import)[\s(]*"([^"]+)"', body.decode()):
            assert found.startswith("."), f"{name} names {found}, which no browser finds"
            path = (FOLDER / name).parent.joinpath(found).resolve().relative_to(FOLDER.resolve())
            assert path.as_posix() in files, f"{name} names {found}"


def test_no_module_makes_markup_or_code_of_text() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerously|DOMParser|\beval\b|new Function"
        r"|document\.cookie|createContextualFragment|srcdoc"
    )
    assert len(OURS) > 10
    wrong = [f"{path.name}: {found[0]}" for path in OURS for found in forbidden.finditer(path.read_text())]
    assert not wrong


def test_a_module_fits_in_one_head() -> None:
    long = [path.name for path in OURS if len(path.read_text().splitlines()) > TOO_MUCH_FOR_ONE_HEAD]
    assert not long


def test_files_are_kept_for_ever_under_a_path_that_names_their_content() -> None:
    assets = Assets()
    path = f"/{assets.root}main.js"
    plain, gone, other = ask(path, path.replace(assets.digest, "0" * 16), f"/{assets.root}nothing.js")
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert (gone.status_code, other.status_code) == (404, 404)
    assert ask(path, method="POST")[0].status_code == 404
    (zipped,) = ask(path, **{"accept-encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content  # the client unpacked it
    assert int(zipped.headers["content-length"]) < len(plain.content)


def test_nothing_but_the_files_is_served() -> None:
    root = Assets().root
    for path in (
        "vendor/manifest.json",
        "vendor/preact.d.mts",
        "../shell.py",
        "%2e%2e/shell.py",
        "",
        "vendor/",
    ):
        assert ask(f"/{root}{path}")[0].status_code == 404, path


def test_the_hash_changes_with_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.js").write_text("2")
    seen = {Assets(tmp_path).digest}
    (tmp_path / "a.js").write_text("12")
    seen.add(Assets(tmp_path).digest)
    (tmp_path / "b.js").rename(tmp_path / "c.js")
    seen.add(Assets(tmp_path).digest)
    assert len(seen) == 3


def test_the_page_names_its_files_relatively_so_that_any_prefix_serves() -> None:
    for prefix in ("/", "/am"):
        (page,) = ask(f"{prefix.rstrip('/')}/", prefix=prefix)
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text.partition("<body>")[0])
        assert len(named) > 10
        assert not [path for path in named if path.startswith("/") or ":" in path]
        answers = ask(*(f"{prefix.rstrip('/')}/{path}" for path in named), prefix=prefix)
        assert {answer.status_code for answer in answers} == {200}
        assert page.headers["cache-control"] == "no-store"


def test_the_alerts_are_asked_for_first_and_other_pages_load_when_they_are_looked_at() -> None:
    (page,) = ask("/")
    named = re.findall(r'(?:src|href)="[^"]*?/([^/"]+(?:/[^/"]+)?)"', page.text.partition("<body>")[0])
    assert named[0].endswith("early.js"), "a script waits for the style sheets before it"
    assert sum(name.endswith(".css") for name in named) == 1
    preloaded = re.findall(r'"modulepreload" href="static/[0-9a-f]+/([^"]+)"', page.text)
    assert {"pages/alerts.js", "core/model.js", "parts/windowed.js", "vendor/preact.mjs"} <= set(preloaded)
    assert not {"pages/cluster.js", "pages/silences.js", "main.js"} & set(preloaded)


def test_the_style_sheets_are_one_in_their_order() -> None:
    sheets = sorted((FOLDER / "style").glob("*.css"))
    assert len(sheets) > 1
    assert Assets().files["style.css"] == b"".join(sheet.read_bytes() for sheet in sheets)


def test_all_together_is_small() -> None:
    zipped = sum(len(gzip.compress(body, 9)) for body in Assets().files.values())
    assert zipped < 100_000
