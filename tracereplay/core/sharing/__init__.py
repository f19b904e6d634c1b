"""Content-based page sharing: one file per dialect, plus what they have in common (``_cow``).

A dialect binds the hooks ``is_shared``, ``drop_mapping``, ``keeps_frame``, ``share_victim`` and
``unmap_all`` of ``core.hooks`` and offers the scans of its modes.
"""
