"""Traces: opening, streaming, writing and describing them (Parquet through Arrow; no Numba, no pandas)."""

from tracereplay.trace.batch import Batch
from tracereplay.trace.info import info
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.schema import Metadata, Op, VMInfo
from tracereplay.trace.writer import write_trace

__all__ = ["Batch", "Metadata", "Op", "Trace", "VMInfo", "info", "open_trace", "write_trace"]
