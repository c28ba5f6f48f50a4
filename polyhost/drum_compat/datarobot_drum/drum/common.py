"""Loggers."""

from __future__ import annotations

import logging


def get_drum_logger(logger_name: str) -> logging.Logger:
    """A logger below ``drum``, which ``--logging-level`` steers as it does every other."""
    return logging.getLogger(f"drum.{logger_name}")


__all__ = ["get_drum_logger"]
