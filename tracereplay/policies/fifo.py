"""First in, first out: the victim is the slot that was inserted first; hits change nothing."""

from __future__ import annotations

from tracereplay.policies.lru import State, init, insert, remove, victim

__all__ = ["State", "hit", "init", "insert", "remove", "victim"]


def hit(state, pool, slot):
    """Change nothing."""
