"""numpy arrays in numpy's own format."""

import io
from typing import Any

from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._libraries import library

__all__ = ["read_array", "write_array"]

_LONG = "gG"  # long doubles: 6 of their 16 bytes are whatever was in memory


def write_array(value: Any) -> bytes:
    """The array as `.npy`, in C or Fortran order as it is. Raises `Unsuited` for objects."""
    npy = library("numpy.lib.format")

    dtype = value.dtype
    if not _is_plain(dtype):
        raise Unsuited
    buffer = io.BytesIO()
    try:
        if npy.descr_to_dtype(npy.dtype_to_descr(dtype)) != dtype:
            raise Unsuited
        npy.write_array(buffer, value, allow_pickle=False)
    except (ValueError, TypeError) as error:
        raise Unsuited from error
    return buffer.getvalue()


def _is_plain(dtype: Any) -> bool:
    """Whether the bytes of an element are all its own and say all there is to say."""
    if dtype.hasobject or dtype.metadata or dtype.char in _LONG or dtype.kind not in "biufcmMOSUV":
        return False
    if dtype.subdtype is not None:
        return _is_plain(dtype.subdtype[0])
    if dtype.names is None:
        return True
    fields = [dtype.fields[name][0] for name in dtype.names]
    has_gaps = sum(field.itemsize for field in fields) != dtype.itemsize
    return not has_gaps and all(map(_is_plain, fields))


def read_array(payload: bytes) -> Any:
    """The array that `write_array` was given."""
    npy = library("numpy.lib.format")

    buffer = io.BytesIO(payload)
    return npy.read_array(buffer, allow_pickle=False, max_header_size=len(payload))
