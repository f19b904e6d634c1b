"""``python -m tracereplay``: the command line."""

from __future__ import annotations

import sys

from tracereplay.cli import main

sys.exit(main())
