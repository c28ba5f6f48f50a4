"""Which HTTP status each error gets: the one table."""

from __future__ import annotations

from typing import Dict, Type

from polyhost import errors
from polyhost.errors import PolyhostError

STATUS: Dict[Type[PolyhostError], int] = {
    errors.InvalidInput: 422,
    errors.UnsupportedCoding: 415,
    errors.NotAcceptable: 406,
    errors.BodyTooLarge: 413,
    errors.TooManyRows: 413,
    errors.NoRoom: 507,
    errors.KeyMissing: 401,
    errors.KeyRefused: 403,
    errors.StoreError: 507,
    errors.StateError: 507,
    errors.SchemaViolation: 422,
    errors.WorkerBusy: 429,
    errors.TrainingRuns: 409,
    errors.WorkerNotReady: 503,
    errors.WorkerTimeout: 504,
    errors.RequestCancelled: 499,
    errors.PolyhostError: 500,
}


def status_of(error: PolyhostError) -> int:
    """The status of an error: its own if guest code asked for one, else its nearest class's."""
    if isinstance(error, errors.GuestStatus):
        return int(error.facts.get("status", 400))
    if isinstance(error, errors.WorkerCrashed) and error.facts.get("outside"):
        return 503  # an operator, or the kernel, ended the process: the request may be as good
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500
