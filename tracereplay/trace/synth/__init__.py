"""Generators of synthetic traces, one file each: seeded, streaming, repeatable to the byte."""
