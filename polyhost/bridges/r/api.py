"""R's C API as this bridge uses it: vectors in and out, by memory copy.

rpy2's own classes cost microseconds an object and milliseconds a text column; these functions work
on the bare C pointers (``SEXP``) that rpy2's cffi library gives.

R frees what nothing refers to whenever it allocates. A fresh SEXP is therefore put into a
protected list, or held, before the next one is made; every function here that makes more than one
does so itself.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.errors import InvalidInput

Sexp = Any
"""A C pointer to an R object."""

LOGICAL, INTEGER, REAL, TEXT, LIST, RAW = 10, 13, 14, 16, 19, 24
NA_INTEGER = -(2**31)
NA_REAL_BITS = np.uint64(0x7FF00000000007A2)
_UTF8 = 1  # cetype_t CE_UTF8


class Pairs(Tuple[Tuple[str, str], ...]):
    """Named texts in order, whose names may repeat: a named list in R."""


class Api:
    """The functions of R's library, bound once R has started."""

    def __init__(self) -> None:
        from rpy2.rinterface_lib import openrlib

        self.ffi = openrlib.ffi
        self.lib = openrlib.rlib
        self.alloc = self.lib.Rf_allocVector
        self.protect = self.lib.Rf_protect
        self.unprotect = self.lib.Rf_unprotect
        self.get = self.lib.VECTOR_ELT
        self.put = self.lib.SET_VECTOR_ELT
        self.length = self.lib.Rf_xlength
        self.attribute = self.lib.Rf_setAttrib
        self.nil = self.lib.R_NilValue
        self._real = openrlib.REAL
        self._integer = openrlib.INTEGER
        self._logical = openrlib.LOGICAL
        self._raw = openrlib.RAW
        self._names: Dict[Tuple[str, ...], Sexp] = {}
        self.NAMES = self.lib.Rf_install(b"names")
        self.ROW_NAMES = self.lib.Rf_install(b"row.names")
        self.LEVELS = self.lib.Rf_install(b"levels")
        self.CLASS = self.lib.R_ClassSymbol
        self.TZONE = self.lib.Rf_install(b"tzone")

    # Into R. What comes back is not protected.

    def doubles(self, values: np.ndarray) -> Sexp:
        """A numeric vector; the array is float64 and contiguous."""
        vector = self.alloc(REAL, len(values))
        self.ffi.memmove(self._real(vector), values, values.nbytes)
        return vector

    def integers(self, values: np.ndarray) -> Sexp:
        """An integer vector; the array is int32 and contiguous, NA_INTEGER is missing."""
        vector = self.alloc(INTEGER, len(values))
        self.ffi.memmove(self._integer(vector), values, values.nbytes)
        return vector

    def logicals(self, values: np.ndarray) -> Sexp:
        """A logical vector, from int32 0, 1 and NA_INTEGER."""
        vector = self.alloc(LOGICAL, len(values))
        self.ffi.memmove(self._logical(vector), values, values.nbytes)
        return vector

    def raw(self, data: Any) -> Sexp:
        """A raw vector of any buffer's bytes."""
        view = memoryview(data).cast("B")
        vector = self.alloc(RAW, len(view))
        self.ffi.memmove(self._raw(vector), view, len(view))
        return vector

    def texts(self, values: Sequence[Optional[str]]) -> Sexp:
        """A character vector; None is missing."""
        encoded = [None if value is None else encode(value) for value in values]
        vector = self.protect(self.alloc(TEXT, len(encoded)))
        make, put, missing = (
            self.lib.Rf_mkCharLenCE,
            self.lib.SET_STRING_ELT,
            self.lib.R_NaString,
        )
        for i, data in enumerate(encoded):
            put(vector, i, missing if data is None else make(data, len(data), _UTF8))
        self.unprotect(1)
        return vector

    def names(self, values: Sequence[str]) -> Sexp:
        """A character vector that is kept, for names that come again with every request."""
        key = tuple(values)
        vector = self._names.get(key)
        if vector is None:
            if len(self._names) >= 256:
                for old in self._names.values():
                    self.lib.R_ReleaseObject(old)
                self._names.clear()
            vector = self.texts(key)
            self.lib.R_PreserveObject(vector)
            self._names[key] = vector
        return vector

    def value(self, value: Any) -> Sexp:
        """A Python value: None, bool, int, str, bytes, a list of str, arrays, dicts and lists."""
        if value is None:
            return self.nil
        if isinstance(value, str):
            return self.texts((value,))
        if isinstance(value, bool):
            return self.logicals(np.array([value], np.int32))
        if isinstance(value, int):
            return self.integers(np.array([value], np.int32))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.raw(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, Pairs):
            return self._named_list([name for name, _ in value], [text for _, text in value])
        if isinstance(value, dict):
            return self._named_list(list(value), list(value.values()))
        if isinstance(value, tuple):
            return self._list(value)
        if isinstance(value, list):
            return self.texts(value)
        return getattr(value, "sexp", value)

    def _array(self, values: np.ndarray) -> Sexp:
        if values.dtype.kind == "f":
            return self.doubles(np.ascontiguousarray(values, np.float64))
        return self.integers(np.ascontiguousarray(values, np.int32))

    def _list(self, values: Sequence[Any]) -> Sexp:
        result = self.protect(self.alloc(LIST, len(values)))
        try:
            for i, value in enumerate(values):
                self.put(result, i, self.value(value))
        finally:
            self.unprotect(1)
        return result

    def _named_list(self, names: Sequence[str], values: Sequence[Any]) -> Sexp:
        result = self.protect(self._list(values))
        try:
            self.attribute(result, self.NAMES, self.protect(self.texts(names)))
            self.unprotect(1)
        finally:
            self.unprotect(1)
        return result

    # Out of R. The memory stays R's, so everything is copied.

    def kind(self, sexp: Sexp) -> int:
        """R's type code of an object."""
        return int(sexp.sxpinfo.type)

    def attribute_of(self, sexp: Sexp, name: Sexp) -> Sexp:
        """An object's attribute; ``nil`` when it has none of this name."""
        return self.lib.Rf_getAttrib(sexp, name)

    def to_doubles(self, sexp: Sexp) -> np.ndarray:
        """A numeric vector's values; NA is NaN."""
        return self._copy(self._real(sexp), self.length(sexp), np.float64)

    def to_integers(self, sexp: Sexp) -> np.ndarray:
        """An integer vector's values; NA is NA_INTEGER."""
        return self._copy(self._integer(sexp), self.length(sexp), np.int32)

    def to_logicals(self, sexp: Sexp) -> np.ndarray:
        """A logical vector's values as int32; NA is NA_INTEGER."""
        return self._copy(self._logical(sexp), self.length(sexp), np.int32)

    def to_bytes(self, sexp: Sexp) -> bytes:
        """A raw vector's bytes."""
        return bytes(self.ffi.buffer(self._raw(sexp), self.length(sexp)))

    def to_texts(self, sexp: Sexp) -> List[Optional[str]]:
        """A character vector's values, which R has made UTF-8; NA is None."""
        element, chars, string = self.lib.STRING_ELT, self.lib.R_CHAR, self.ffi.string
        missing = self.lib.R_NaString
        cells = [element(sexp, i) for i in range(self.length(sexp))]
        return [
            None if cell == missing else string(chars(cell)).decode("utf-8", "replace")
            for cell in cells
        ]

    def to_strings(self, sexp: Sexp) -> List[str]:
        """A character vector without missing values."""
        return [text or "" for text in self.to_texts(sexp)]

    def _copy(self, pointer: Any, length: int, dtype: Any) -> np.ndarray:
        size = length * np.dtype(dtype).itemsize
        values: np.ndarray = np.frombuffer(self.ffi.buffer(pointer, size), dtype).copy()
        return values


def encode(text: str) -> bytes:
    """UTF-8 that R can hold: InvalidInput for a NUL (R would cut there) or half a character."""
    if "\0" in text:
        raise InvalidInput(
            f"text with a NUL character cannot go to R: expected none; found one in {text[:40]!r}. "
            "Remove it, or send bytes."
        )
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"text that is no Unicode cannot go to R: found a lone surrogate in {text[:40]!r}."
        ) from error
