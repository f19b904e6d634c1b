"""The places where a policy and a sharing mode plug into the engine.

The kernels call these names; ``_jit.specialise`` binds the functions chosen for a run in their place,
and the processor's own instruction in place of ``load``.
"""

from __future__ import annotations


def load(array, index):
    """Start loading row ``index`` of ``array`` into the cache: changes nothing but the speed."""


def guest_insert(state, pool, slot):
    """Policy of the guests: ``slot`` = PPN, ``pool`` = VM."""
    raise NotImplementedError


def guest_prefetch(state, pool, slot):
    """Start loading what a hit will need."""
    raise NotImplementedError


def guest_expect(state, pool, page):
    """``page`` = dense id of the page that the next insert brings."""


def guest_hit(state, pool, slot):
    raise NotImplementedError


def guest_remove(state, pool, slot):
    raise NotImplementedError


def guest_victim(state, pool):
    raise NotImplementedError


def host_insert(state, pool, slot):
    """Policy of the host: ``slot`` = MPN, one pool 0."""
    raise NotImplementedError


def host_expect(state, pool, page):
    """``page`` = the PPN that the next insert backs."""


def host_hit(state, pool, slot):
    raise NotImplementedError


def host_remove(state, pool, slot):
    raise NotImplementedError


def host_victim(state, pool):
    raise NotImplementedError


def host_likely_victim(state, pool, ahead):
    """The frame that ``host_victim`` will probably return after ``ahead`` other calls, or −1."""
    raise NotImplementedError


def is_shared(s, mpn):
    """Whether frame ``mpn`` is write-protected and in the table of shared frames."""
    raise NotImplementedError


def drop_mapping(s, ppn, mpn):
    """Unmap ``ppn`` from the shared frame ``mpn``; the mode decides what becomes of the frame."""
    raise NotImplementedError


def keeps_frame(s, mpn):
    """Whether a write to the shared frame ``mpn`` makes it private in place."""
    raise NotImplementedError


def share_victim(s, mpn):
    """Try to merge the page of the private victim ``mpn`` into an equal one; whether it was done."""
    raise NotImplementedError


def unmap_all(s, mpn):
    """Take the shared victim ``mpn`` out of the table, its mappers swapped; return the lowest one."""
    raise NotImplementedError
