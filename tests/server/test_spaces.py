"""Outside a Space nothing changes; on ZeroGPU a function asks for the GPU that it declares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from llada_demo.server.serve import frame_ancestors
from llada_demo.server.spaces import gpu, on_space, zero_gpu


def double(value: int) -> int:
    return 2 * value


def test_a_space_is_known_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not on_space()
    assert frame_ancestors() == "'self'"
    monkeypatch.setenv("SPACE_ID", "someone/demo")
    assert on_space()
    assert frame_ancestors() == "'self' https://huggingface.co https://*.hf.space"


def test_outside_zero_gpu_a_function_stays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert gpu(30)(double) is double


def test_zero_gpu_without_its_package_is_no_zero_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not zero_gpu()
    assert gpu(30)(double) is double


def test_on_zero_gpu_the_duration_reaches_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def stand_in(duration: Any) -> Callable[[Any], Any]:
        asked.append(duration)
        return lambda function: function

    package = ModuleType("spaces")
    package.GPU = stand_in  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: package)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert gpu(45)(double)(4) == 8
    assert asked == [45]
