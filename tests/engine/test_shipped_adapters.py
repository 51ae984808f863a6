"""The adapters that come with the embedded model are on its shelf, and on no other model's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from random_adapter import write_adapter

from llada_demo.adapters import AdapterError
from llada_demo.core.options import SamplingOptions
from llada_demo.core.settings import ADAPTERS, EMBEDDED, Settings
from llada_demo.engine import Engine

SHORT = SamplingOptions(gen_length=8, steps=8, block_length=8)
ASKED = [{"role": "user", "content": "Apa itu hujan?"}]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the one that comes with the model; it is not there yet."""
    place = tmp_path / "bawaan"
    monkeypatch.setattr("llada_demo.engine.engine.ADAPTERS", place)
    return place


def load(*adapters: Path, model: str = "") -> Engine:
    return Engine.load(Settings(model, tuple(map(str, adapters)), "cpu", "float32"))


def names(engine: Engine) -> list[str]:
    return [row["name"] for row in engine.shelf.listed()]


def test_what_is_shipped_fits_the_embedded_model(engine: Engine) -> None:
    assert names(engine) == sorted(folder.name for folder in ADAPTERS.glob("[!.]*") if folder.is_dir())
    for name in names(engine):
        run = engine.start(ASKED, SHORT, name)
        assert len(list(run)) > 0
        assert run.about["adapter"] == name


def test_they_come_first_by_name_and_files_beside_them_do_not_count(
    shipped: Path, tmp_path: Path, engine: Engine
) -> None:
    for name in ("pantun", "cerita", ".sedang-ditulis"):
        write_adapter(shipped / name, engine.model)
    (shipped / "CATATAN.md").write_text("catatan")
    own = write_adapter(tmp_path / "alami", engine.model)
    assert names(load(own)) == ["cerita", "pantun", "alami"]


def test_without_the_folder_there_are_none(shipped: Path) -> None:
    assert not shipped.exists()
    assert names(load()) == []


def test_a_broken_one_is_named(shipped: Path, engine: Engine) -> None:
    folder = write_adapter(shipped / "cerita", engine.model)
    (folder / "adapter_model.safetensors").write_bytes(b"rusak")
    with pytest.raises(AdapterError, match="cerita"):
        load()


def test_another_of_a_shipped_name_is_refused(shipped: Path, tmp_path: Path, engine: Engine) -> None:
    write_adapter(shipped / "cerita", engine.model)
    with pytest.raises(AdapterError, match=r"cerita.*already"):
        load(write_adapter(tmp_path / "lain" / "cerita", engine.model, seed=2))


def test_another_model_gets_none_of_them(shipped: Path, tmp_path: Path, engine: Engine) -> None:
    write_adapter(shipped / "cerita", engine.model)
    copy = shutil.copytree(EMBEDDED, tmp_path / "model")
    assert names(load(model=str(copy))) == []
