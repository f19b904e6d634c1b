"""LIRS by hand, beside a plain version of it, and beside the counts of the authors' program."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from formats.importing import sample
from hand_tables import letter, on_list, work_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import BASE, Ours, operations, play

from tracereplay.analysis.one_level import OneLevel, dense_rows
from tracereplay.policies import lirs
from tracereplay.policies.lirs import HIR, LIR
from tracereplay.trace import open_trace
from tracereplay.trace.convert import import_trace


def drawn(state: Any, pool: int) -> str:
    """The stack from its top down | the queue from back to front; LIR in capitals, gone in brackets."""
    queues = [on_list(state.lists, pool, which) for which in (LIR, HIR)]
    named = {slot: letter(state.ghosts.page_in[slot] - BASE) for queue in queues for slot in queue}
    stack = [(state.used_at[slot], named[slot]) for slot in queues[LIR]]
    stack += [(state.used_at[slot], named[slot].lower()) for slot in queues[HIR]]
    for ghost in on_list(state.ghosts.lists, pool, 0):
        name = letter(state.ghosts.page_of[ghost] - BASE).lower()
        stack.append((state.ghost_used_at[ghost], f"({name})"))
    in_stack = [
        name
        for at, name in sorted(stack, reverse=True)
        if name.isupper() or lirs.is_in_stack(state, pool, at)
    ]
    return " ".join([*in_stack, "|", *(named[slot].lower() for slot in queues[HIR])])


def test_by_hand():
    """Four frames, two of them for LIR pages: every case of the paper's section 3, frees and balloons.

    The second B in a row changes nothing, the third, after C, makes it LIR.  When C is freed the bottom of
    the stack is B; H is LIR at once, as there is room.  Memory of 3 has room for one LIR page, H.
    """
    work_pages(
        lirs,
        4,
        """
        A     A |
        B     B A |
        C     c B A | c
        D     d c B A | d c
        A     A d c B | d c
        E!C   e A d (c) B | e d
        C!D   C e A | b e
        E     E C | a b
        B     b E C | b a
        B     b E C | b a
        C     C b E | b a
        B     B C | e a
        D!A   d B C | d e
        F!E   f d B C | f d
        G!D   g f (d) B C | g f
        -C    g f (d) B | g f
        H     H g f (d) B | g f
        !F    H g (f) (d) B | g
        I!G   i H | i b
        +     i H | i b
        J     J i H | i b
        """,
        drawn,
    )


class Naive:
    """The paper's rules over one stack (bottom first) and one queue (front first)."""

    def __init__(self, frames: int, hir: float, ghosts: int) -> None:
        self.stack: list[int] = []
        self.queue: list[int] = []
        self.lir: set[int] = set()
        self.last, self.c = -1, frames
        self.hir, self.ghosts = hir, ghosts

    def hit(self, page: int) -> None:
        if page != self.last:
            if page in self.queue:
                self.queue.remove(page)
            self.access(page)

    def bring_in(self, page: int, full: bool) -> int | None:
        in_stack = page in self.stack
        left = self.make_room(page) if full else None
        self.c = max(self.c, len(self.lir) + len(self.queue) + 1)
        self.access(page, in_stack)
        return left

    def shrink(self) -> int:
        return self.make_room(None)

    def remove(self, page: int) -> None:
        for members in (self.stack, self.queue, self.lir):
            if page in members:
                members.remove(page)
        self.prune()

    def access(self, page: int, in_stack: bool = False) -> None:
        in_stack |= page in self.stack
        if page in self.stack:
            self.stack.remove(page)
        self.stack.append(page)
        self.last = page
        if page in self.lir or in_stack or len(self.lir) < self.most_lir():
            self.lir.add(page)
            self.demote()
        else:
            self.queue.append(page)
        self.prune()

    def make_room(self, coming: int | None) -> int:
        self.c = len(self.lir) + len(self.queue)
        self.demote()
        left = self.queue.pop(0)
        if left in self.stack:
            gone = [p for p in self.stack if p not in self.lir and p not in self.queue and p != coming]
            for page in gone[: max(len(gone) - self.ghosts * self.c, 0)]:
                self.stack.remove(page)
        return left

    def most_lir(self) -> int:
        return max(self.c - max(int(self.hir * self.c), 2), 0)

    def demote(self) -> None:
        while len(self.lir) > self.most_lir():
            page = next(page for page in self.stack if page in self.lir)
            self.lir.remove(page)
            self.queue.append(page)
            self.prune()

    def prune(self) -> None:
        while self.stack and self.stack[0] not in self.lir:
            self.stack.pop(0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    todo=operations(pages=30, fewest=150, most=250),
    frames=st.integers(1, 9),
    ballooned=st.integers(0, 2),
    hir=st.sampled_from([0.0, 0.01, 0.4, 0.5, 1.0]),
    ghosts=st.integers(0, 2),
)
def test_naive(todo, frames, ballooned, hir, ghosts):
    """The same pages leave, whatever is accessed and freed, while memory shrinks and grows.

    Slots that a balloon holds from the start count as memory until the first victim.
    """
    slots = frames + ballooned
    ours = Ours(lirs, slots, hir=hir, ghosts=ghosts)
    assert play(ours, frames, todo) == play(Naive(slots, hir, ghosts), frames, todo)


@pytest.mark.parametrize(("pages", "frames", "hir"), [(40, 30, 0.01), (100, 40, 0.1), (30, 11, 0.3)])
def test_a_loop_larger_than_memory(pages, frames, hir):
    """Misses all pages at first, then those that are not LIR; LRU misses all for ever."""
    string = np.array(list(range(pages)) * 10, np.int32)
    memory = OneLevel(f"lirs:hir={hir}", frames, jit=False)
    memory.touch(string, pages)
    most_lir = frames - max(int(hir * frames), 2)
    assert memory.misses == pages + 9 * (pages - most_lir)


@pytest.mark.parametrize("name", ["2_pools", "cpp", "loop", "multi1", "ps", "sprite"])
def test_faults_of_the_authors_program(tmp_path, name):
    """At every size, of two versions; the older one does not see the last access of a file.

    Their bound on the stack, 2,500 memories, is never reached.
    """
    golden = json.loads(sample("goldens/lirs.json").read_text())[name]
    import_trace("auto", sample(f"lirs/{name}.trace.gz"), tmp_path / "t.parquet")
    pages = np.concatenate([rows.pages for rows in dense_rows(open_trace(tmp_path / "t.parquet"))])
    found = {}
    for row in golden["rows"]:
        memory = OneLevel("lirs:ghosts=200", row["size"])
        memory.touch(pages[:-1], golden["uniq"])
        before_last = memory.misses
        memory.touch(pages[-1:], golden["uniq"])
        found[row["size"]] = (before_last, memory.misses)
    assert found == {row["size"]: (row["LIRS_c"], row["LIRS_ref"]) for row in golden["rows"]}
