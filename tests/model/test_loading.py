"""Loading: a folder or a hub id becomes a verified model; the hub here is a server on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import are_progress_bars_disabled
from tiny import GOLDEN, VOCABULARY_SIZE
from transformers.utils import logging

from llada_demo.core.errors import LANGUAGES, ModelError
from llada_demo.core.files import sha256_of
from llada_demo.model import LLaDAModelLM
from llada_demo.model.loading import load_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The handful of routes that a download of the model kecil/model takes; everything else is unknown."""

    def __init__(self, *args: object, folder: Path, asked: list[str]) -> None:
        self.folder, self.asked = folder, asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        if path == "/api/models/kecil/model/revision/main":
            self.reply(json.dumps({"id": "kecil/model", "sha": COMMIT, "siblings": []}).encode())
        elif path.startswith("/api/models/kecil/model/revision/"):
            self.fail("RevisionNotFound", 404)
        elif path == f"/api/models/kecil/model/tree/{COMMIT}":
            rows = [
                {"type": "file", "path": str(p.relative_to(self.folder)), "size": p.stat().st_size}
                | {"oid": sha256_of(p)}
                for p in files
            ]
            self.reply(json.dumps(rows).encode())
        elif path.startswith(start := f"/kecil/model/resolve/{COMMIT}/"):
            name = path.removeprefix(start)
            self.asked.append(name)
            self.reply((self.folder / name).read_bytes())
        elif path.startswith("/api/models/tertutup/"):
            self.fail("GatedRepo", 403)
        else:
            self.fail("RepoNotFound", 404)

    do_HEAD = do_GET

    def reply(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def fail(self, code: str, status: int) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and connections that no other test has made."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    yield cache
    huggingface_hub.close_session()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def asked(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serves the checkpoint, with files beside it that must not be fetched; the names that were asked for."""
    for stray in ("pytorch_model.bin", "modeling_llada.py", "original/consolidated.safetensors"):
        (checkpoint / stray).parent.mkdir(exist_ok=True)
        (checkpoint / stray).write_bytes(b"no")
    names: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder=checkpoint, asked=names))
    use_endpoint(monkeypatch, server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield names
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(source: str | Path, **options: str) -> dict[str, str]:
    """Both sentences of the ModelError that loading must raise."""
    with pytest.raises(ModelError) as caught:
        load_model(source, **options)
    sentences = {language: caught.value.in_language(language) for language in LANGUAGES}
    assert sentences["id"] != sentences["en"]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences.values())
    return sentences


def test_worked_example_a_folder(checkpoint: Path) -> None:
    loaded = load_model(checkpoint)
    shards = sorted(checkpoint.glob("*.safetensors"))
    assert len(shards) > 1
    assert loaded.name == "model-kecil"
    assert loaded.folder == checkpoint
    assert loaded.bytes == sum(p.stat().st_size for p in shards)
    digests = "".join(sha256_of(p) for p in shards)
    assert loaded.sha256 == hashlib.sha256(digests.encode()).hexdigest()
    saved = LLaDAModelLM.from_pretrained(checkpoint).eval()
    assert loaded.parameters == saved.num_parameters() == sum(p.numel() for p in saved.parameters())
    ids = torch.tensor([loaded.tokenizer.encode("Halo, apa kabar?")])
    assert torch.equal(loaded.model(ids).logits, saved(ids).logits)


def test_the_model_is_ready_to_answer_and_not_to_train(checkpoint: Path) -> None:
    loaded = load_model(str(checkpoint), dtype=torch.bfloat16)
    assert not loaded.model.training
    assert all(p.dtype == torch.bfloat16 and not p.requires_grad for p in loaded.model.parameters())
    assert loaded.tokenizer.special.mask == loaded.model.config.mask_token_id


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_are_silent_inside_and_restored(
    checkpoint: Path, capfd: pytest.CaptureFixture[str], shown: bool
) -> None:
    before = logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    try:
        load_model(checkpoint)
        assert logging.is_progress_bar_enabled() is shown
        assert are_progress_bars_disabled() is not shown
    finally:
        (logging.enable_progress_bar if before[0] else logging.disable_progress_bar)()
    assert capfd.readouterr().err == ""


def test_one_file_and_no_manifest_will_do(checkpoint: Path, tmp_path: Path) -> None:
    whole = tmp_path / "satu"
    load_model(checkpoint).model.save_pretrained(whole)
    shutil.copy(checkpoint / "tokenizer.json", whole)
    loaded = load_model(whole)
    assert [p.name for p in whole.glob("*.safetensors*")] == ["model.safetensors"]
    assert loaded.parameters == load_model(checkpoint).parameters


def test_ids_that_the_configuration_lacks_come_from_the_tokenizer(checkpoint: Path) -> None:
    fields = json.loads((checkpoint / "config.json").read_text())
    del fields["mask_token_id"], fields["eos_token_id"]
    (checkpoint / "config.json").write_text(json.dumps(fields))
    (checkpoint / "sha256.json").unlink()
    loaded = load_model(checkpoint)
    special = loaded.tokenizer.special
    assert (loaded.model.config.mask_token_id, loaded.model.config.eos_token_id) == (
        special.mask,
        special.eos,
    )
    assert special.mask < VOCABULARY_SIZE


def test_code_and_habits_of_a_configuration_are_not_taken_over(checkpoint: Path, tmp_path: Path) -> None:
    fields = json.loads((checkpoint / "config.json").read_text())
    proof = tmp_path / "ran"
    (checkpoint / "modeling_llada.py").write_text(f"open({str(proof)!r}, 'w')\n")
    fields["auto_map"] = {
        "AutoModel": "modeling_llada.LLaDAModelLM",
        "AutoConfig": "modeling_llada.LLaDAConfig",
    }
    fields |= {"_attn_implementation": "flash_attention_2", "output_attentions": True, "dtype": "float99"}
    (checkpoint / "config.json").write_text(json.dumps(fields))
    (checkpoint / "sha256.json").unlink()
    assert load_model(checkpoint).model.config.model_type == "llada"
    assert not proof.exists()


# The hub


def test_a_hub_id_is_fetched_and_only_what_is_read(asked: list[str], own_cache: Path) -> None:
    loaded = load_model("kecil/model")
    assert loaded.name == "kecil/model"
    assert loaded.folder.is_relative_to(own_cache)
    assert {name for name in asked if "safetensors" not in name} == {
        "config.json",
        "tokenizer.json",
        "sha256.json",
    }
    assert not any("original" in name for name in asked)


def test_what_is_in_the_cache_needs_no_hub(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_model("kecil/model")
    use_endpoint(monkeypatch, closed_port())
    assert load_model("kecil/model").sha256 == first.sha256


def test_a_local_folder_goes_before_the_hub(
    checkpoint: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkpoint.parent / "kecil").mkdir()
    checkpoint.rename(checkpoint.parent / "kecil" / "model")
    monkeypatch.chdir(checkpoint.parent)
    assert load_model("kecil/model").name == "model"
    assert asked == []


def closed_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_network_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, closed_port())
    said = refusal("kecil/model")
    assert "hub tidak terjangkau" in said["id"]
    assert "hub cannot be reached" in said["en"]
    assert all("LLADA_MODEL" in sentence for sentence in said.values())


def test_an_unknown_hub_id_has_its_own_sentence(asked: list[str]) -> None:
    assert "periksa ejaannya" in refusal("tak/ada")["id"]
    assert "bukan model yang dikenal hub" in refusal("kecil/-salah--")["id"]


def test_a_gated_model_and_an_unknown_revision_have_theirs(asked: list[str]) -> None:
    assert "memerlukan izin" in refusal("tertutup/model")["id"]
    assert "no revision v9" in refusal("kecil/model", revision="v9")["en"]


@pytest.mark.parametrize("error", [OSError(28, "No space left\n on device"), HTTPError("No space left on device")])
def test_a_download_that_breaks_off_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("llada_demo.model.loading.snapshot_download", broken)
    assert "No space left on device" in refusal("kecil/model")["en"]


# What is no model at all


@pytest.mark.parametrize("source", ["tidak-ada", "./tidak/ada", "a/b/c", Path("tidak/ada"), "http://x/y", "a/b c"])
def test_a_path_that_is_not_there_has_its_own_sentence(source: str | Path) -> None:
    said = refusal(source)
    assert said["id"].startswith(f"Folder model {source} tidak ada")
    assert "owner/name" in said["en"]


def test_a_file_instead_of_its_folder_is_said(checkpoint: Path) -> None:
    assert "is a file" in refusal(checkpoint / "config.json")["en"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said(checkpoint: Path) -> None:
    assert "LLADA_DEVICE" in refusal(checkpoint, device="cuda")["en"]


def test_too_little_memory_is_said(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(LLaDAModelLM, "from_pretrained", full)
    assert "does not fit the memory of cpu" in refusal(checkpoint)["en"]


def test_the_golden_checkpoint_lacks_only_a_tokenizer() -> None:
    assert "no tokenizer.json" in refusal(GOLDEN)["en"]
