"""Whether two buffers share memory."""

from __future__ import annotations

import ctypes


class _Buffer(ctypes.Structure):
    """`Py_buffer` of CPython's stable interface (PEP 688 gives no address)."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("owner", ctypes.py_object),
        ("size", ctypes.c_ssize_t),
        ("item_size", ctypes.c_ssize_t),
        ("read_only", ctypes.c_int),
        ("dimensions", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


# prototypes of our own: setting those of `ctypes.pythonapi` would set them for everyone
_get = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)(
    ("PyObject_GetBuffer", ctypes.pythonapi)
)
_release = ctypes.PYFUNCTYPE(None, ctypes.POINTER(_Buffer))(("PyBuffer_Release", ctypes.pythonapi))


def overlap(first: memoryview, second: memoryview) -> bool:
    """Whether a byte of `first` is also one of `second`; both are contiguous."""
    start, other = _address(first), _address(second)
    return max(start, other) < min(start + first.nbytes, other + second.nbytes)


def _address(view: memoryview) -> int:
    # ctypes gives the address of writable memory only, but a view may be read-only of memory
    # that another view writes to
    buffer = _Buffer()
    _get(view, buffer, 0)
    try:
        return buffer.address or 0
    finally:
        _release(buffer)
