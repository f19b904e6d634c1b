"""Traces and what they do to memory, drawn as tables of text that a reader can work out by hand.

A line of a table is an access, the memory after it, and the counters that it moved::

    w1=5 @10 | 1d/P5! _/- ; 2=6 || … | guest_minor_faults host_minor_faults

- Access: ``r``ead, ``w``rite, ``f``ree or ``i``nstruction fetch, page, ``=content`` unless unknown, ``@time``
  unless that of the line before (0 at first); ``1:w3`` is VM 1's, without a prefix it is VM 0's.
- Memory: the VMs apart by ``||``, a word per PPN: the guest's view, a slash, the host's.  Guest: the page
  mapped there, ``d`` after it if dirty, ``c`` if clean with a copy on a disk; ``_`` free; ``#`` ballooned.
  Host: ``-`` unbacked, ``P`` private, ``S`` shared, ``Z`` the zero page, ``x`` paged out; the content, ``?``
  unknown; ``!`` if the frame is dirty.  After ``;`` the guest's swap as page=content.
- Counters: by name, ``*2`` when they moved by more than one, ``1:`` before those of VM 1; those that merely
  tell the kind of row are left out.  A line without a bar goes on with those of the line before.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

import engine
from small import FETCH, FREE, READ, WRITE

from tracereplay.run import Run

_ACCESS = re.compile(r"(?:(\d+):)?([rwfi])(\d+)(?:=(\d+))?(?: @(\d+))?$")
_OPS = {"r": READ, "w": WRITE, "f": FREE, "i": FETCH}
_ROW_KINDS = ("accesses", "reads", "writes", "frees")
_BACKINGS = {"unbacked": "-", "private": "P", "cow": "S", "zero": "Z", "swapped": "x"}


def rows_of(accesses: list[str]) -> list[tuple]:
    """Rows ``(time, vm, page, op, content)`` of accesses in the notation above."""
    rows, now = [], 0
    for text in accesses:
        found = _ACCESS.match(text)
        assert found, f"not an access: {text!r}"
        vm, op, page, content, time = found.groups()
        now = now if time is None else int(time)
        rows.append((now, int(vm or 0), int(page), _OPS[op], None if content is None else int(content)))
    return rows


def unfold(config: dict[str, Any], story: str) -> Run:
    """Run the story's accesses one by one; its table must be what happens.  Returns the run at its end."""
    expected = _lines(story)
    accesses = [line.split(" | ")[0] for line in expected]
    rows = rows_of(accesses)
    run = Run(engine.as_machine(config), feed := engine.make_feed(config, rows), jit=False)
    (batch,) = list(feed)
    told, before = [], engine.counters(run)
    for access, one in zip(accesses, engine.one_by_one(batch), strict=True):
        run.advance(one)
        run.simulator.check()
        after = engine.counters(run)
        told.append(_tidy(f"{access} | {memory(run, rows, config)} | {_moved(before, after)}"))
        before = after
    assert told == expected, "\n".join(difflib.ndiff(expected, told))
    return run


def _lines(story: str) -> list[str]:
    """The table's lines, each on one line and with single spaces."""
    whole = re.sub(r"\n([^|\n]+)(?=\n|$)", r" \1", story.rstrip())
    return [_tidy(line) for line in whole.strip().splitlines()]


def memory(run: Run, rows: list[tuple], config: dict[str, Any]) -> str:
    """The memory of all VMs in the notation above."""
    return " || ".join(_vm(vm) for vm in engine.dump(run, rows, config)["vms"])


def _vm(vm: dict[str, Any]) -> str:
    guest = ["_"] * len(vm["ppns"])
    for ppn in vm["ballooned"]:
        guest[ppn] = "#"
    for page, (ppn, dirty, copy) in vm["mapped"].items():
        guest[ppn] = f"{page}{'d' * dirty}{'c' * copy}"
    words = [f"{page}/{_host(*ppn)}" for page, ppn in zip(guest, vm["ppns"], strict=True)]
    swap = [f"{page}={_content(content)}" for page, content in vm["swapped"].items()]
    return " ".join(words + [";", *swap] * bool(swap))


def _host(backing: str, dirty: bool | None, _: Any, content: int | None) -> str:
    known = "" if backing == "unbacked" else _content(content)
    return _BACKINGS[backing] + known + "!" * bool(dirty)


def _content(content: int | None) -> str:
    return "?" if content is None else str(content)


def _moved(before: list[dict[str, int]], after: list[dict[str, int]]) -> str:
    words = []
    for vm, (old, new) in enumerate(zip(before, after, strict=True)):
        for name, count in new.items():
            if count != old[name] and name not in _ROW_KINDS:
                times = count - old[name]
                words.append(f"{vm}:" * bool(vm) + name + f"*{times}" * (times > 1))
    return " ".join(words)


def _tidy(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()
