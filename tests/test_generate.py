"""Generated files: up to date, the same every time, sound Lua, and no way in for foreign text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import run
from conftest import PROJECT

from pywnv.generate.project import differing, generated, write
from pywnv.lua.quoting import quote_lua
from pywnv.lua.runtime import lua_runtime
from pywnv.tables import fields

RUNTIMES = ["lua52", "lua54", "luajit21"]


def test_generated_files_are_up_to_date() -> None:
    assert differing(PROJECT) == [], "run: .venv/bin/pywnv generate"


def test_check_finds_each_difference(tmp_path: Path) -> None:
    write(generated(), tmp_path)
    assert differing(tmp_path) == []
    changed, extra, missing = (
        tmp_path / name for name in ("lua/wnv.lua", "profiles/WNV/notes.txt", "profiles/WNV/colorfilters")
    )
    changed.write_bytes(changed.read_bytes() + b"\n")
    extra.write_text("mine")
    missing.unlink()
    assert set(differing(tmp_path)) == {changed, extra, missing}


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_same_bytes_under_any_hash_seed(seed: str) -> None:
    code = "import hashlib, json; from pywnv.generate.project import generated; print(json.dumps(generated()))"
    environment = dict(os.environ, PYTHONHASHSEED=seed)
    run = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == generated()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_plugin_is_lua_everywhere(runtime: str) -> None:
    load = lua_runtime(runtime).globals()[b"load" if runtime != "luajit21" else b"loadstring"]
    for name, text in generated().items():
        if name.endswith(".lua"):
            assert load(text.encode(), name.encode()) is not None


def test_nothing_is_printed_and_nothing_global() -> None:
    text = generated()["lua/wnv.lua"]
    assert "print(" not in text
    assert "_G" not in text


def test_every_field_is_in_the_plugin() -> None:
    text = generated()["lua/wnv.lua"]
    assert [field.name for field in fields.FIELDS if f'"{field.abbreviation}"' not in text] == []


def test_columns_follow_the_contract() -> None:
    columns = fields.columns()
    assert columns[:7] == ("frame", "time", "interface", "length", "protocol", "source", "destination")
    assert columns[7:12] == ("source_port", "destination_port", "packet", "appearance", "duplicate")
    assert len(set(columns)) == len(columns)
    assert columns[-5:] == ("drop_reason_text", "drop_location", "drop_harmless", "drop_advice", "drop_rule")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "text",
    [
        ']] os.execute("x") --',
        'a"b\\c',
        "line\nbreak\rand\0nul",
        "\\",
        "\\10",
        "名前 ☃ \U0001f600",
        "1\u202e2",
        "%s %d %",
        "{{ 7 * 7 }} {% raw %}",
        "",
        "".join(map(chr, range(256))),
    ],
)
def test_quoting_is_the_identity(runtime: str, text: str) -> None:
    lua = lua_runtime(runtime)
    assert lua.execute(f"return {quote_lua(text)}".encode()) == text.encode()
    assert quote_lua(text).isascii()


def test_check_needs_a_folder(tmp_path: Path) -> None:
    done = run("generate", "--check", "--folder", tmp_path / "none")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"pywnv: {tmp_path / 'none'}: there is no such folder\n"
