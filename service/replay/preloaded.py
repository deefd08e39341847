"""Loaded once by the process that worker processes are forked from, so that none of them loads it again."""

from __future__ import annotations

import gc

from service.replay.plan import library

library(None)
gc.collect()
gc.freeze()
