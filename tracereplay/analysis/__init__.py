"""Analyses that read a trace once, with kernels of their own."""
