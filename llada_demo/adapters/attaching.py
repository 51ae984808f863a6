"""Adapters on a base model, row by row of a batch, and no number of the base is ever written.

Hooks behind the Linears add scale x (x A^T) B^T to the rows that asked for it. Which rows those are is said by a
`with` block and known only to the thread inside it, so several visitors with different adapters share one model.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from llada_demo.adapters.checking import Pair, linears
from llada_demo.adapters.errors import AdapterError, listed, refused
from llada_demo.adapters.reading import Adapter

MAX_SCALE = 2.0

Mix = Mapping[str, float]  # adapter name -> scale, 0 to 2; {} is the base


class Attached:
    """The adapters on one model. The model keeps what is attached alive; `detach` gives it back."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = linears(model)
        self._adapters: dict[str, _Placed] = {}
        self._hooks: dict[str, RemovableHandle] = {}
        self._running: list[_Plan] = []  # of the `rows` blocks that some thread is in
        self._last: tuple[Sequence[Mix], _Plan] | None = None  # the next step of a run asks for the same
        self._changing = threading.Lock()
        self._here = threading.local()  # .plan: what this thread's forwards add

    @property
    def names(self) -> tuple[str, ...]:
        """The attached adapters, in the order in which they came."""
        return tuple(self._adapters)

    def attach(self, adapter: Adapter) -> None:
        """Makes an adapter usable in `rows`: casts its weights once to the type and device of the model.

        Raises AdapterError if one of this name is attached, or if it does not fit this model.
        """
        placed = _Placed(adapter, self._modules)
        with self._changing:
            if adapter.name in self._adapters:
                raise refused(
                    adapter.name,
                    "sudah ada adapter dengan nama itu; lepaskan dahulu atau pilih nama lain.",
                    "there is an adapter of that name already; detach it first, or choose another name.",
                )
            self._adapters[adapter.name] = placed
            self._last = None
            self._sort_hooks()

    def detach(self, name: str) -> None:
        """Takes an adapter off and frees its memory (as soon as no `rows` block uses it any more).

        Raises AdapterError if there is none of this name.
        """
        with self._changing:
            self._named(name)
            del self._adapters[name]
            self._last = None
            self._sort_hooks()

    @contextmanager
    def rows(self, mixes: Sequence[Mix]) -> Iterator[None]:
        """Inside, in this thread, row i of a batch (B = len(mixes)) is computed with the adapters of mixes[i].

        A mix gives each adapter's scale, 0 to 2; several add up; {} is the base. Blocks may be nested: the inner
        one counts. Raises AdapterError for an unknown name or a scale out of range, and a forward inside raises
        ValueError if its batch has another number of rows.
        """
        before = getattr(self._here, "plan", None)
        with self._changing:
            plan = self._planned([dict(mix) for mix in mixes])
            self._running.append(plan)
        self._here.plan = plan
        try:
            yield
        finally:
            self._here.plan = before
            with self._changing:
                self._running.remove(plan)
                self._sort_hooks()  # an adapter of this block may have been detached meanwhile

    def _planned(self, mixes: Sequence[Mix]) -> _Plan:
        if self._last is None or self._last[0] != mixes:
            self._last = mixes, _Plan(len(mixes), self._grouped(mixes))
        return self._last[1]

    def _named(self, name: str) -> _Placed:
        if name not in self._adapters:
            there = listed(self._adapters)
            raise AdapterError(
                f"Tidak ada adapter bernama {name!r}; yang terpasang: {there or 'tidak ada'}.",
                f"There is no adapter named {name!r}; attached: {there or 'none'}.",
            )
        return self._adapters[name]

    def _grouped(self, mixes: Sequence[Mix]) -> list[_Group]:
        """The rows of the batch that share adapter and scale. Scale 0 is no work at all.

        Sorted by name, so that the order in which a row's adapters add up does not depend on its neighbours.
        """
        together: dict[tuple[str, float], list[int]] = {}
        for row, mix in enumerate(mixes):
            for name, scale in mix.items():
                self._named(name)
                if scale := checked_scale(name, scale):
                    together.setdefault((name, scale), []).append(row)
        return [_Group(self._adapters[name], scale, rows) for (name, scale), rows in sorted(together.items())]

    def _sort_hooks(self) -> None:
        """Hooks on those modules that an attached adapter or a running block needs, and on no others."""
        needed = {module for adapter in self._adapters.values() for module in adapter.pairs}
        needed.update(module for plan in self._running for module in plan.parts)
        for name in self._hooks.keys() - needed:
            self._hooks.pop(name).remove()
        for name in needed - self._hooks.keys():
            self._hooks[name] = self._modules[name].register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor | None]:
        def add(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
            plan: _Plan | None = getattr(self._here, "plan", None)
            return plan.add(name, inputs[0], output) if plan is not None else None

        return add


class _Placed:
    """An adapter in the type and on the device of the model: module -> A (rank, in), B (out, rank)."""

    def __init__(self, adapter: Adapter, modules: Mapping[str, nn.Linear]) -> None:
        self.scaling = adapter.scaling
        self.pairs: dict[str, Pair] = {}
        for name, (a, b) in adapter.weights.items():
            module = modules.get(name)
            if module is None or (a.shape[1], b.shape[0]) != (module.in_features, module.out_features):
                raise refused(
                    adapter.name,
                    f"dibaca untuk model lain; {name} tidak cocok.",
                    f"it was read for another model; {name} does not fit.",
                )
            self.pairs[name] = (_like(a, module, adapter.name), _like(b, module, adapter.name))


def _like(tensor: Tensor, module: nn.Linear, name: str) -> Tensor:
    """The tensor in the type and on the device of the module's weight."""
    weight = module.weight
    if weight.is_meta or not weight.is_floating_point():
        raise refused(
            name,
            "bobot model ini dikuantisasi atau berada di luar memori, sehingga adapter tidak dapat dipasang.",
            "the weights of this model are quantised or outside the memory, so no adapter can sit on them.",
        )
    placed = tensor.detach().to(device=weight.device, dtype=weight.dtype)
    if not bool(torch.isfinite(placed).all()):
        raise refused(
            name,
            f"nilainya terlalu besar untuk tipe model ({weight.dtype}).",
            f"its values are too large for the model's type ({weight.dtype}).",
        )
    return placed


class _Group:
    """Rows of a batch, in order, that get the same adapter at the same scale."""

    def __init__(self, adapter: _Placed, scale: float, rows: Sequence[int]) -> None:
        self.adapter, self.scale = adapter, scale * adapter.scaling
        self.spans: list[slice] = []  # neighbours go together, and no row is copied
        for row in rows:
            if self.spans and self.spans[-1].stop == row:
                self.spans[-1] = slice(self.spans[-1].start, row + 1)
            else:
                self.spans.append(slice(row, row + 1))

    def first(self) -> int:
        """Its first row."""
        return self.spans[0].start

    def add(self, module: str, x: Tensor, output: Tensor) -> None:
        """Adds scale x (x A^T) B^T to this group's rows of output (B, ..., out), computed from x (B, ..., in)."""
        a, b = self.adapter.pairs[module]
        for span in self.spans:
            low = F.linear(x[span], a).flatten(0, -2)
            output[span].view(-1, len(b)).addmm_(low, b.T, alpha=self.scale)


class _Stack:
    """Neighbouring rows with an adapter each, at one module: two products add the parts of all of them."""

    def __init__(self, groups: Sequence[_Group], module: str) -> None:
        groups = sorted(groups, key=_Group.first)
        pairs = [group.adapter.pairs[module] for group in groups]
        ranks = [len(a) for a, _ in pairs]
        self.span = slice(groups[0].first(), groups[-1].first() + 1)
        self.scale = groups[0].scale  # the others' relative to it are in b, exactly where all are equal
        # (rows, in, rank) and (rows, rank, out): the smaller ranks are filled up with zeros, which add nothing.
        self.a = torch.stack([F.pad(a.T, (0, max(ranks) - len(a))) for a, _ in pairs])
        self.b = torch.stack(
            [
                F.pad(b.T * (group.scale / self.scale), (0, 0, 0, max(ranks) - b.shape[1]))
                for group, (_, b) in zip(groups, pairs, strict=True)
            ]
        )

    def add(self, module: str, x: Tensor, output: Tensor) -> None:
        """As `_Group.add`, for x (B, L, in)."""
        output[self.span].baddbmm_(torch.bmm(x[self.span], self.a), self.b, alpha=self.scale)


def _neighbours(groups: Sequence[_Group]) -> bool:
    """Whether there are several groups, of one row each, and these rows are next to one another."""
    rows = sorted(group.first() for group in groups)
    alone = all(group.spans == [slice(group.first(), group.first() + 1)] for group in groups)
    return alone and len(rows) > 1 and rows == list(range(rows[0], rows[0] + len(rows)))


class _Plan:
    """What one `rows` block adds: module -> the groups that have a part there."""

    def __init__(self, rows: int, groups: Sequence[_Group]) -> None:
        self.rows = rows
        together: dict[str, list[_Group]] = {}
        for group in groups:
            for module in group.adapter.pairs:
                together.setdefault(module, []).append(group)
        self.parts: dict[str, Sequence[_Group | _Stack]] = {
            module: [_Stack(here, module)] if _neighbours(here) else here for module, here in together.items()
        }

    def add(self, module: str, x: Tensor, output: Tensor) -> Tensor | None:
        """The module's output with every group's part in it, or None: then it stays as it is, bit for bit."""
        groups = self.parts.get(module)
        if not groups:
            return None
        if len(x) != self.rows:
            raise ValueError(f"a batch of {len(x)} rows inside rows() of {self.rows} mixes")
        for group in groups:
            group.add(module, x, output)  # in place: what a Linear returns is new and belongs to nobody else
        return output


def checked_scale(name: str, scale: float) -> float:
    """The scale as a float. Raises AdapterError unless it is a number from 0 to 2."""
    number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if not number or not math.isfinite(scale) or not 0 <= scale <= MAX_SCALE:
        raise AdapterError(
            f"Skala adapter {name} adalah {scale!r}; seharusnya 0 sampai {MAX_SCALE:g}.",
            f"The scale of the adapter {name} is {scale!r}; it must be from 0 to {MAX_SCALE:g}.",
        )
    return float(scale)
