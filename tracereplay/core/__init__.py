"""The simulation core: plain-Python kernels on arrays, compiled in one place (``_jit``)."""
