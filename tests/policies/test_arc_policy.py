"""ARC by hand, beside a plain version of it, and beside the counts of others' programs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from field import both
from formats.importing import sample
from hand_tables import letter, on_list, work_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import BASE, Ours, operations, play

from tracereplay.analysis.one_level import OneLevel, count_misses, dense_rows
from tracereplay.policies import arc
from tracereplay.policies._adaptive import B1, B2, T1, T2
from tracereplay.trace import open_trace
from tracereplay.trace.convert import import_trace


def drawn(state: Any, pool: int) -> str:
    """T1 | T2 | B1 | B2 | target; lists from back to front, * referenced (CAR)."""
    lists, ghosts = state.directory.lists, state.directory.ghosts
    referenced = getattr(state, "referenced", np.zeros_like(lists.list_of))
    words = []
    for which in (T1, T2):
        slots = on_list(lists, pool, which)
        words.append(" ".join(letter(ghosts.page_in[s] - BASE) + "*" * int(referenced[s]) for s in slots))
    for which in (B1, B2):
        entries = on_list(ghosts.lists, pool, which)
        words.append(" ".join(letter(ghosts.page_of[entry] - BASE) for entry in entries))
    return " | ".join([*words, f"{state.directory.target[pool]:g}"])


def test_by_hand():
    """Every case of the paper's figure 4, a page freed, and a memory that shrinks and grows.

    I comes from B2 while T1 is as long as the target: T1 gives the victim.  J leaves a T1 that fills the
    memory, without a trace.  When memory shrinks to 2, L is forgotten: T1 and B1 may be 2 long at most.
    """
    work_pages(
        arc,
        3,
        """
        A     A | | | | 0
        B     B A | | | | 0
        A     B | A | | | 0
        C     C B | A | | | 0
        D!B   D C | A | B | | 0
        B!C   D | B A | C | | 1
        E!A   E D | B | C | A | 1
        A!D   E | A B | D C | | 0
        F!E   F | A B | E D | | 0
        G!F   G | A B | F E | | 0
        E!B   G | E A | F | B | 1
        B!G   | B E A | G F | | 0
        H!A   H | B E | G F | A | 0
        I!H   I | B E | H G | A | 0
        A!I   | A B E | I H G | | 0
        G!E   | G A B | I H | E | 1
        H!B   | H G A | I | B E | 2
        I!A   | I H G | | A B E | 3
        J!G   J | I H | | G A B | 3
        K!H   K J | I | | H G A | 3
        L!I   L K J | | | I H G | 3
        M!J   M L K | | | I H G | 3
        G!K   M L | G | K | I H | 2
        H!L   M | H G | L K | I | 1
        K!G   M | K H | L | G I | 2
        I!M   | I K H | M L | G | 1
        -K    | I H | M L | G | 1
        N     N | I H | M L | G | 1
        !H    N | I | M | H G | 1
        O!I   O N | | | I H | 1
        +     O N | | | I H | 1
        P     P O N | | | I H | 1
        Q!N   Q P O | | | I H | 1
        """,
        drawn,
    )


class Naive:
    """The paper's pseudocode over lists, their least recent page first."""

    def __init__(self, frames: int, whole_steps: bool = False, fall_to_zero: bool = False) -> None:
        self.t1: list[int] = []
        self.t2: list[int] = []
        self.b1: list[int] = []
        self.b2: list[int] = []
        self.p, self.c = 0.0, frames
        self.whole_steps, self.fall_to_zero = whole_steps, fall_to_zero

    def hit(self, page: int) -> None:
        self.remove(page)
        self.t2.append(page)

    def remove(self, page: int) -> None:
        (self.t1 if page in self.t1 else self.t2).remove(page)

    def bring_in(self, page: int, full: bool) -> int | None:
        ghosts = next((ghosts for ghosts in (self.b1, self.b2) if page in ghosts), None)
        if ghosts is not None:
            self.learn(ghosts)
            ghosts.remove(page)
        left = self.make_room(ghosts) if full else None
        (self.t1 if ghosts is None else self.t2).append(page)
        return left

    def shrink(self) -> int:
        return self.make_room(None)

    def learn(self, ghosts: list[int]) -> None:
        other = self.b2 if ghosts is self.b1 else self.b1
        delta = max(len(other) / len(ghosts), 1)
        delta = int(delta) if self.whole_steps else delta
        if ghosts is self.b1:
            self.p = min(self.p + delta, self.c)
        else:
            self.p = 0 if self.fall_to_zero else max(self.p - delta, 0)

    def make_room(self, ghosts: list[int] | None) -> int:
        self.c = len(self.t1) + len(self.t2)
        self.p = min(self.p, self.c)
        if ghosts is None and len(self.t1) == self.c:
            self.b1.clear()
            left = self.t1.pop(0)
        else:
            left = self.replace(from_b2=ghosts is self.b2)
        while self.b1 and len(self.t1) + len(self.b1) > self.c - (ghosts is None):
            self.b1.pop(0)
        while len(self.b1) + len(self.b2) > self.c:
            (self.b2 or self.b1).pop(0)
        return left

    def replace(self, from_b2: bool) -> int:
        length = len(self.t1)
        if not self.t2 or (self.t1 and (length > self.p or (from_b2 and length == self.p))):
            self.b1.append(self.t1.pop(0))
            return self.b1[-1]
        self.b2.append(self.t2.pop(0))
        return self.b2[-1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    todo=operations(pages=20, fewest=150, most=250),
    frames=st.integers(1, 8),
    whole_steps=st.booleans(),
    fall_to_zero=st.booleans(),
)
def test_naive(todo, frames, whole_steps, fall_to_zero):
    """The same pages leave, whatever is accessed and freed, while memory shrinks and grows."""
    variant = {"whole_steps": whole_steps, "fall_to_zero": fall_to_zero}
    ours = Ours(arc, frames, **variant)
    assert play(ours, frames, todo) == play(Naive(frames, **variant), frames, todo)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 20, 100, 1_000, 5_000])
def test_libcachesim(frames, tmp_path):
    """As many misses as libcachesim's."""
    ours, theirs = both("arc", "ARC", frames, tmp_path)
    assert ours == theirs


@pytest.mark.parametrize("name", ["2_pools", "cpp", "loop", "multi1", "ps", "sprite"])
def test_faults_of_another_program(tmp_path, name):
    """Zhong's, at every size; it skips an access to the page accessed last."""
    golden = json.loads(sample("goldens/lirs.json").read_text())[name]
    import_trace("auto", sample(f"lirs/{name}.trace.gz"), tmp_path / "t.parquet")
    pages = np.concatenate([rows.pages for rows in dense_rows(open_trace(tmp_path / "t.parquet"))])
    pages = pages[np.append(True, np.diff(pages) != 0)]
    found = {}
    for row in golden["rows"]:
        memory = OneLevel("arc:whole_steps=true,fall_to_zero=true", row["size"])
        memory.touch(pages, golden["uniq"])
        found[row["size"]] = memory.misses
    assert found == {row["size"]: row["ARC_ref"] for row in golden["rows"]}


def test_the_papers_hit_ratios(tmp_path):
    """Of OLTP, in per cent, as the paper's table prints them."""
    import_trace("auto", sample("arc/OLTP.lis.zst"), tmp_path / "t.parquet")
    trace = open_trace(tmp_path / "t.parquet")
    published = {1000: 38.93, 2000: 46.08, 5000: 55.25, 10000: 61.87, 15000: 65.40}
    found = {frames: 100 * (1 - count_misses(trace, "arc", frames) / trace.n_rows) for frames in published}
    assert found == pytest.approx(published, abs=0.02)
