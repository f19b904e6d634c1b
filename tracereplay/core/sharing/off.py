"""No sharing: every answer is a constant, so the compiler drops the branches that ask."""

from __future__ import annotations


def is_shared(s, mpn):
    """No frame is."""
    return False


def drop_mapping(s, ppn, mpn):
    """Never reached."""


def keeps_frame(s, mpn):
    """Never reached."""
    return False


def share_victim(s, mpn):
    """Nothing can be merged."""
    return False


def unmap_all(s, mpn):
    """Never reached."""
    return mpn
