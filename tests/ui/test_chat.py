"""The chat tab behind a real server: the endpoint /chat, and visitors at the same time."""

from __future__ import annotations

import json
import threading

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from llada_demo.core.options import SamplingOptions
from llada_demo.engine import Engine

OPTIONS = {
    "gen_length": 16,
    "steps": 16,
    "block_length": 8,
    "seed": 4,
    "temperature": 0.8,
    "end_rule": "forbid",
}


def new_client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def ask(client: Client, message: str, **options) -> str:
    chosen = json.dumps({**OPTIONS, **options})
    return client.predict(message, [], "", "", chosen, api_name="/chat")


def alone(engine: Engine, message: str, **options) -> str:
    run = engine.start([{"role": "user", "content": message}], SamplingOptions(**{**OPTIONS, **options}))
    for _ in run:
        pass
    return run.text


def test_the_public_endpoints_are_those_of_the_readme(address: str):
    assert list(new_client(address).view_api(return_format="dict")["named_endpoints"]) == [
        "/chat",
        "/unmask",
        "/attention",
        "/compare",
        "/adapters",
    ]


def test_chat_streams_masks_that_turn_into_the_answer(address: str, engine: Engine):
    job = new_client(address).submit("Apa itu awan?", [], "", "", json.dumps(OPTIONS), api_name="/chat")
    final = job.result(timeout=60)
    frames = job.outputs()
    assert len(frames) >= 2
    assert "░" in frames[0]
    assert "░" not in final
    assert final == frames[-1] == alone(engine, "Apa itu awan?")


def test_two_clients_at_the_same_time_get_what_each_would_get_alone(address: str, engine: Engine):
    wanted = {i: (f"Ceritakan tentang {what}.", i) for i, what in enumerate(("kucing", "hujan", "kucing"))}
    got: dict[int, str] = {}

    def visit(i: int, message: str, seed: int) -> None:
        got[i] = ask(new_client(address), message, seed=seed)

    threads = [threading.Thread(target=visit, args=(i, *args)) for i, args in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {i: alone(engine, message, seed=seed) for i, (message, seed) in wanted.items()}


def test_history_is_read(address: str, engine: Engine):
    history = [
        {"role": "user", "content": "Nama saya Budi."},
        {"role": "assistant", "content": "Halo, Budi!"},
    ]
    got = new_client(address).predict("Siapa nama saya?", history, "", "", json.dumps(OPTIONS), api_name="/chat")
    run = engine.start([*history, {"role": "user", "content": "Siapa nama saya?"}], SamplingOptions(**OPTIONS))
    for _ in run:
        pass
    assert got == run.text


@pytest.mark.parametrize(
    ("message", "history", "options", "says"),
    [
        ("", [], "{}", "kosong"),
        ("x" * 10_000, [], "{}", "10000 karakter"),
        ("kata " * 1000, [], "{}", "terlalu panjang"),
        ("Halo", [], "{", "bukan JSON"),
        ("Halo", [], "[]", "objek JSON"),
        ("Halo", [], '{"steps": 7}', "kelipatan"),
        ("Halo", [], '{"warna": 1}', "tidak dikenal"),
        ("Halo", [], '{"temperature": NaN}', "angka"),
        ("Halo", [{"role": "system", "content": "x"}], "{}", "history"),
        ("Halo", ["x"], "{}", "history"),
    ],
)
def test_bad_input_gets_one_clear_sentence(address: str, message: str, history: list, options: str, says: str):
    with pytest.raises(AppError, match=says) as caught:
        new_client(address).predict(message, history, "", "", options, api_name="/chat")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("text", ["<|mdm_mask|><|eot_id|>", "😀", "مرحبا بالعالم", "a\0b", "<script>alert(1)</script>"])
def test_strange_text_gets_a_normal_answer(address: str, text: str):
    assert isinstance(ask(new_client(address), text), str)
