"""``image``, ``type``, ``table`` and ``text``, over files that are made here."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from fsworkers import process_tree
from fsworkers.errors import BadSetting, MissingExtra
from fsworkers.tasks.registry import make_task
from tests.integration.tasks.trees import cli, need, odd_tree


def over(tree: Path, name: str, to: str | None = None, **options: str) -> dict[str, Any]:
    """The value of each file by its name, or what is said instead."""
    found: dict[str, Any] = {}
    process_tree(
        tree, name, options=options, to=to, engine="inline",
        on_outcome=lambda one: found.update(
            {os.path.basename(one.path): one.value if one.status == "done" else str(one.error)}
        ),
    )  # fmt: skip
    return found


def test_images_and_thumbnails(tmp_path: Path) -> None:
    """Format, size, mode and EXIF; small ones the right way up; what is no image is left out."""
    images = pytest.importorskip("PIL.Image")
    tree, thumbs = tmp_path / "tree", tmp_path / "thumbs"
    (tree / "new\nline").mkdir(parents=True)
    exif = images.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0x829D] = 2.8
    images.new("RGB", (600, 400), "red").save(tree / "a.jpg", exif=exif)
    images.new("RGBA", (30, 40)).save(tree / "new\nline" / "b.png")
    (tree / "c.txt").write_text("no image")
    (tree / "d.jpg").write_bytes((tree / "a.jpg").read_bytes()[:100])
    (tree / "e.jpg").write_text("no image either")
    (tree / "f.pdf").write_text("%PDF-1.4, which Pillow only writes")
    found = over(tree, "image")
    told = {"Make": "Maker", "Orientation": 6, "FNumber": pytest.approx(2.8)}
    assert found["a.jpg"] == {
        "format": "JPEG", "width": 600, "height": 400, "mode": "RGB", "exif": told,
    }  # fmt: skip
    assert found["b.png"]["mode"] == "RGBA"
    assert found["c.txt"] == found["f.pdf"] == "it is no image"
    assert found["e.jpg"].endswith("Error: no image is in it, though its name says so")
    outcomes, _ = cli(
        tree, "-t", "image", "--option", "size=60", "--to", f"{thumbs}/{{rel.}}.jpg", code=1
    )
    assert sum(one["status"] == "done" for one in outcomes) == 2
    assert sorted(str(one.relative_to(thumbs)) for one in thumbs.rglob("*.*")) == [
        "a.jpg", "new\nline/b.jpg",
    ]  # fmt: skip
    with images.open(thumbs / "a.jpg") as small:
        assert small.size == (40, 60)
    with pytest.raises(BadSetting, match="as images do"):
        over(tree, "image", to="x/{rel.}.txt")


def test_types_agree_with_file(tmp_path: Path) -> None:
    """Whatever a file is called."""
    pytest.importorskip("magic")
    tree = odd_tree(tmp_path)
    for name, data in {
        "picture.txt": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0",
        "packed": gzip.compress(b"x"), "paper": b"%PDF-1.7\n1 0 obj\n",
        "text.png": "größe\n".encode() * 3000, "page": b"<!doctype html><p>text",
        "data.json": b'{"a": 1}', "noise": b"\1\2\3\0\xff" * 10,
    }.items():  # fmt: skip
        (tree / name).write_bytes(data)
    ours: dict[bytes, str] = {}

    def note(one: Any) -> None:
        ours[os.fsencode(one.path)] = "{type}; charset={charset}".format_map(one.value)

    process_tree(tree, "type", on_outcome=note)
    paths = [os.fsencode(one) for one in tree.rglob("*") if one.is_file()]
    said = run([need("file"), "-b", "--mime", "-N", "--", *paths], check=True, capture_output=True)
    assert ours == dict(zip(paths, said.stdout.decode().splitlines(), strict=True))
    assert ours[os.fsencode(tree / "picture.txt")] == "image/png; charset=binary"


def test_tables(tmp_path: Path) -> None:
    """Rows, columns, types and nulls; names that are patterns to others do no harm."""
    duckdb = pytest.importorskip("duckdb")
    text = "id,when\n1,2020-01-01\n2,\n"
    (tmp_path / "a [1]*?'.csv").write_text(text)
    (tmp_path / os.fsdecode(b"\xff.csv")).write_text(text)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.jsonl").write_text('{"a": 1, "q\\"": null}\n{"a": null, "q\\"": "x"}\n')
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing")
    (tmp_path / "c.txt").write_text(text)
    duckdb.sql(f"COPY (SELECT 1.5::DOUBLE AS x) TO '{tmp_path}/p.parquet'")
    found = over(tmp_path, "table")
    assert found["a [1]*?'.csv"] == {
        "rows": 2,
        "columns": [
            {"name": "id", "type": "BIGINT", "nulls": 0},
            {"name": "when", "type": "DATE", "nulls": 1},
        ],
    }
    assert found["packed.csv.gz"] == found[os.fsdecode(b"\xff.csv")] == found["a [1]*?'.csv"]
    assert [(one["name"], one["nulls"]) for one in found["b.jsonl"]["columns"]] == [
        ("a", 1), ('q"', 1),
    ]  # fmt: skip
    assert found["p.parquet"]["columns"] == [{"name": "x", "type": "DOUBLE", "nulls": 0}]
    assert found["bad.parquet"].startswith("ValueError")
    assert "does not end in" in found["c.txt"]


def pdf(words: str) -> bytes:
    """A page with some words."""
    stream = f"BT /F1 12 Tf 50 50 Td ({words}) Tj ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Contents 4 0 R/Resources 6 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Font<</F1 5 0 R>>>>",
    ]
    whole, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(whole))
        whole += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return whole + (
        b"xref\n0 7\n0000000000 65535 f \n%strailer<</Root 1 0 R/Size 7>>\nstartxref\n%d\n%%%%EOF"
        % (table, len(whole))
    )


def test_texts(tmp_path: Path) -> None:
    """Of PDF, HTML and plain files; what is seen, no more."""
    pytest.importorskip("pypdfium2")
    pytest.importorskip("selectolax")
    page = "<title>no</title><style>x{}</style><p>Hel<b>lo</b><p>größe &amp; more<script>1</script>"
    for name, data in {
        "a.pdf": pdf("Some words here"), "bad.pdf": b"%PDF-1.4 and no more",
        "b.html": page.encode(), "c.md": "\ufeffgrößere text\n".encode(),
        "d.txt": "in utf-16".encode("utf-16"), "e": b"\0\1\2",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    found = over(tmp_path, "text", content="true")
    assert found["a.pdf"] == {"characters": 15, "words": 3, "pages": 1, "text": "Some words here"}
    assert found["bad.pdf"].startswith("PdfiumError")
    assert found["b.html"] == {"characters": 18, "words": 4, "text": "Hello\ngröße & more"}
    assert found["c.md"]["text"] == "größere text\n"
    assert found["d.txt"] == {"characters": 9, "words": 2, "text": "in utf-16"}
    assert found["e"] == "it holds no text"
    (tmp_path / "bad.pdf").unlink()
    outcomes, _ = cli(tmp_path, "-t", "text")
    assert {"characters": 15, "words": 3, "pages": 1} in [one["value"] for one in outcomes]
    assert "Some" not in json.dumps(outcomes)


@pytest.mark.parametrize("name", ["image", "table", "text"])
def test_what_is_not_installed_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is run, and how it is had."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("fsworkers.tasks.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=rf"pip install 'fsworkers\[{name}\]'"):
        make_task(name, {})
