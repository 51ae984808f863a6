"""What the guard lets through, what it refuses, and what an answer never tells."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from llada_demo.server.guard import Guard, Limits, security_headers
from llada_demo.server.rate import Buckets
from llada_demo.server.rate import visitor as visitor_of

JOIN = "/gradio_api/queue/join"
JSON = {"content-type": "application/json"}
KIB = 1024


async def echo(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def broken(request: Request) -> Response:
    raise RuntimeError("secret detail")


def guarded(limits: Limits | None = None, frame_ancestors: str = "'self'") -> TestClient:
    """A guard in front of an app that echoes the length of any body, and breaks at /broken."""
    methods = ["GET", "POST"]
    upload = Route("/gradio_api/upload", echo, methods=methods)
    app = Starlette(routes=[Route("/broken", broken), upload, Route("/{path:path}", echo, methods=methods)])
    return TestClient(Guard(app, limits, frame_ancestors))


def pieces(total: int) -> Iterator[bytes]:
    """A body of `total` bytes without a declared length."""
    yield from (b" " * KIB for _ in range(total // KIB))


# --- sizes


@pytest.mark.parametrize("path", ["/", JOIN])
def test_a_body_over_the_limit_is_refused_by_its_declared_length(path: str) -> None:
    client = guarded(Limits(body_bytes=4 * KIB))
    assert client.post(path, content=b"1" * (4 * KIB), headers=JSON).status_code in (200, 400)
    answer = client.post(path, content=b"1" * (4 * KIB + 1), headers=JSON)
    assert answer.status_code == 413
    assert "4096" in answer.json()["error"]


def test_a_body_over_the_limit_is_refused_while_it_streams() -> None:
    client = guarded(Limits(body_bytes=4 * KIB))
    assert client.post("/", content=pieces(4 * KIB)).json() == {"bytes": 4 * KIB}
    assert client.post("/", content=pieces(5 * KIB)).status_code == 413


def test_a_length_that_lies_is_not_believed() -> None:
    asked: list[bytes] = []
    sizes = iter([4 * KIB, 4 * KIB, 4 * KIB])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(b"reached")

    async def receive() -> Message:
        return {"type": "http.request", "body": b" " * next(sizes), "more_body": True}

    sent = exchange(Guard(app, Limits(body_bytes=6 * KIB)), "/", receive, [(b"content-length", b"10")])
    assert sent[0]["status"] == 413
    assert next(sizes) == 4 * KIB  # the third piece was never asked for
    assert asked == []


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "９"])
def test_a_length_that_is_no_number_is_malformed(length: str) -> None:
    answer = guarded().post("/", content=pieces(KIB), headers={"content-length": length.encode()})  # type: ignore[dict-item]
    assert answer.status_code == 400


def test_uploads_are_closed_unless_a_size_opens_them() -> None:
    for path in ("/gradio_api/upload", "/upload", "/gradio_api/upload/", "/gradio_api/%75pload?upload_id=x"):
        assert guarded().post(path, content=b"file").status_code == 403
    client = guarded(Limits(body_bytes=KIB, uploads_max_bytes=8 * KIB))
    assert client.post("/gradio_api/upload", content=pieces(8 * KIB)).json() == {"bytes": 8 * KIB}
    assert client.post("/gradio_api/upload", content=pieces(9 * KIB)).status_code == 413
    assert client.post("/gradio_api/upload", content=b" " * 9 * KIB).status_code == 413


# --- methods and types


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_not_served(method: str) -> None:
    answer = guarded().request(method, "/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "", "application/jso"])
def test_a_call_must_be_json_by_its_type(content_type: str) -> None:
    headers = {"content-type": content_type}
    assert guarded().post("/gradio_api/call/count", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b"[NaN]", b"[-Infinity]", b"{}{}"])
def test_a_call_must_be_json_by_its_text(body: bytes) -> None:
    assert guarded().post("/gradio_api/run/count", content=body, headers=JSON).status_code == 400


def test_honest_calls_reach_the_app_whole() -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    assert guarded().post(JOIN, content='{"data": ["é"]}'.encode(), headers=headers).json() == {"bytes": 16}
    assert guarded().post("/gradio_api/reset").json() == {"bytes": 0}
    assert guarded().post("/login", data={"username": "x"}).status_code == 200


# --- rate


def test_a_visitor_who_asks_too_often_waits_and_is_served_again() -> None:
    client = guarded(Limits(requests_per_second=10, burst=5))
    now = [0.0]
    client.app.buckets.clock = lambda: now[0]  # type: ignore[attr-defined]
    assert [client.get("/").status_code for _ in range(6)] == [200] * 5 + [429]
    assert client.get("/").headers["retry-after"] == "1"
    assert client.get("/assets/index.js").status_code == 200
    now[0] += 0.1
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]


def test_visitors_do_not_pay_for_each_other() -> None:
    guard = Guard(Starlette(routes=[Route("/", echo)]), Limits(requests_per_second=0.001, burst=1))
    one, other = TestClient(guard, client=("10.0.0.1", 1)), TestClient(guard, client=("10.0.0.2", 1))
    assert [one.get("/").status_code, one.get("/").status_code, other.get("/").status_code] == [200, 429, 200]


def test_the_memory_of_the_rate_limit_is_bounded() -> None:
    buckets = Buckets(per_second=1, burst=2, capacity=100, clock=lambda: 0.0)
    for number in range(1000):
        buckets.wait(str(number))
    assert len(buckets) == 100


def test_a_bucket_by_hand() -> None:
    now = [0.0]
    buckets = Buckets(per_second=2, burst=2, clock=lambda: now[0])
    assert [buckets.wait("a"), buckets.wait("a"), buckets.wait("a")] == [0.0, 0.0, 0.5]
    now[0] = 0.25
    assert buckets.wait("a") == pytest.approx(0.25)
    now[0] = 0.5
    assert buckets.wait("a") == 0.0


def test_an_ipv6_network_is_one_visitor() -> None:
    assert visitor_of("2001:db8::1") == visitor_of("2001:db8::ffff") != visitor_of("2001:db8:0:1::1")
    assert visitor_of("::ffff:10.0.0.1") == visitor_of("10.0.0.1")
    assert len(visitor_of("x" * 10_000)) == 64


# --- headers


def test_every_answer_carries_the_headers(visitor: TestClient) -> None:
    answers = [
        visitor.get("/"),
        visitor.get("/health"),
        visitor.get("/nowhere/at/all"),
        visitor.get("/config?deep_link=x"),
        visitor.put("/"),
        visitor.post("/gradio_api/upload"),
        visitor.post(JOIN, content=b"{", headers=JSON),
        visitor.post("/gradio_api/call/v2/nope", json={}),
        visitor.post("/gradio_api/run/broken", json={"data": ["x"]}),
        guarded().get("/broken"),
        guarded(Limits(burst=0)).get("/"),
    ]
    assert {answer.status_code for answer in answers} >= {200, 400, 403, 404, 405, 422, 429, 500}
    for answer in answers:
        for name, value in security_headers("'self'").items():
            assert answer.headers[name] == value, answer.url
        assert "x-frame-options" not in answer.headers


def test_who_may_frame_the_page_is_said_in_the_policy() -> None:
    policy = guarded(frame_ancestors="https://example.org").get("/").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://example.org")


# --- errors


def test_an_unhandled_error_leaves_an_id_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    answer = guarded().get("/broken", headers={"accept-language": "id-ID,id;q=0.9"})
    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "request_id"}
    assert "secret" not in answer.text
    assert answer.json()["error"].startswith("Terjadi kesalahan")
    assert answer.json()["request_id"] in caplog.text
    assert "secret detail" in caplog.text


def test_an_error_in_our_own_code_is_not_blamed_on_the_request(visitor: TestClient) -> None:
    board = next(c for c in visitor.get("/config").json()["components"] if c["props"].get("elem_id") == "board")
    call = {"data": "x", "component_id": board["id"], "fn_name": "broken", "session_hash": "s"}
    answer = visitor.post("/gradio_api/component_server", json=call)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert visitor.post("/gradio_api/component_server", json={**call, "component_id": 999}).status_code == 400


def test_an_event_that_fails_outside_the_queue_keeps_only_a_sentence_for_the_visitor(
    visitor: TestClient,
) -> None:
    refused = visitor.post("/gradio_api/run/refusing", json={"data": ["text"]})
    assert (refused.status_code, refused.json()["error"]) == (422, "text is too long")
    failed = visitor.post("/gradio_api/run/broken", json={"data": ["x"]})
    assert failed.status_code == 422
    assert "secret" not in failed.text


def test_an_answer_of_500_that_tells_of_internals_is_replaced() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("Traceback: secret", 500)(scope, receive, send)

    answer = TestClient(Guard(app)).get("/")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "request_id"}


def test_an_error_in_a_stream_that_has_begun_cuts_the_stream() -> None:
    async def numbers() -> AsyncIterator[str]:
        yield "1"
        raise RuntimeError("secret detail")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(numbers())(scope, receive, send)

    with pytest.raises(RuntimeError):
        TestClient(Guard(app)).get("/")


# --- streams and other scopes


def exchange(
    app: Guard, path: str, receive: Receive, headers: list[tuple[bytes, bytes]] | None = None
) -> list[Message]:
    """What `app` sends for one POST, message by message."""
    sent: list[Message] = []
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers or [], "client": ("::1", 1)}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_stream_leaves_piece_by_piece() -> None:
    sent_when_made: list[int] = []
    sent: list[Message] = []

    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            sent_when_made.append(len(sent))
            yield str(number)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(numbers())(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}
    asyncio.run(Guard(app)(scope, receive, send))
    assert sent_when_made == [1, 2, 3]  # the start and every earlier piece had left before the next was made


def test_other_scopes_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    for kind in ("websocket", "lifespan"):
        parts: Any = ({"type": kind}, object(), object())
        asyncio.run(Guard(app)(*parts))
        assert seen.pop() == parts


# --- fuzz

PATHS = ["/", "/config", "/login", "/%00", "/assets/" + "a" * 300]
PATHS += ["/gradio_api/" + name for name in ("call/count", "call/nope", "call/v2/count", "call/v2/nope")]
PATHS += ["/gradio_api/" + name for name in ("run/broken", "run/nope", "run/%00", "api/refusing", "cancel")]
PATHS += ["/gradio_api/" + name for name in ("queue/data", "queue/join", "reset", "component_server", "info")]
PATHS += ["/gradio_api/" + name for name in ("stream/x", "process_recording", "file=%00", "proxy=%00")]
FIELDS = [
    "data",
    "fn_index",
    "session_hash",
    "event_id",
    "component_id",
    "fn_name",
    "trigger_id",
    "batched",
    "steps",
]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    99,
    1e308,
    10**60,
    "",
    "s",
    "\ud800",
    "\0",
    "fetch",
    [],
    [1],
    [[]],
    {},
]
ODD += [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, [1, 2, 3, 4], ["x"], [{}], {"": None}]
HOSTILE = {
    "host": ["["],
    "x-forwarded-host": ["a b:zz", "["],
    "origin": ["http://[", "\xff"],
    "cookie": ["\xff=;;"],
}
HOSTILE |= {"range": ["bytes=9-1"], "content-type": ["text/plain", "application/json", "multipart/form-data"]}


def malformed(rng: random.Random) -> dict[str, Any]:
    """One request that no honest page sends."""
    fields = rng.sample(FIELDS, rng.randint(0, len(FIELDS)))
    body = json.dumps({field: rng.choice(ODD) for field in fields}).encode()
    damage = rng.random()
    if damage < 0.15:
        body = body[: rng.randint(0, len(body))]
    elif damage < 0.3:
        body = rng.choice([b"", b"null", b"[]", b"1", b"\xff", b'"x"', rng.randbytes(40), b"[" * 9000])
    headers = {"content-type": "application/json"} if rng.random() < 0.9 else {}
    if rng.random() < 0.2:
        name = rng.choice(list(HOSTILE))
        headers[name] = rng.choice(HOSTILE[name])
    method = rng.choices(["POST", "GET", "HEAD", "OPTIONS", "PUT"], [16, 3, 1, 1, 1])[0]
    url = rng.choice(PATHS) + rng.choice(["", "", "", "?page=x", "?session_hash=zz", "?deep_link=%00", "?%ff"])
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    return {"method": method, "url": url, "content": body, "headers": encoded}


@pytest.mark.parametrize("seed", range(3))
def test_no_malformed_request_gives_a_server_error(visitor: TestClient, seed: int) -> None:
    rng = random.Random(seed)
    statuses = []
    for _ in range(100):
        request = malformed(rng)
        answer = visitor.request(**request, follow_redirects=False)
        assert answer.status_code < 500, (request, answer.text)
        statuses.append(answer.status_code)
    assert {400, 404, 415, 422} <= set(statuses)
