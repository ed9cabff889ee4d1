"""Reuse of buffers: never while a view refers to one, and never by two threads."""

from concurrent.futures import ThreadPoolExecutor

from convrnn_model.memory import ALIGNMENT, BufferPool


def test_buffers_are_reused_once_no_view_refers_to_them():
    buffers = BufferPool(most=2)
    first = buffers.empty((10, 10))
    first[:] = 1
    view, place = first[2:].reshape(-1), first.ctypes.data
    assert place % ALIGNMENT == 0
    assert first.flags.c_contiguous
    del first
    second = buffers.empty((10, 10))
    second[:] = 2
    assert (view == 1).all()
    assert second.ctypes.data != place
    del view
    assert buffers.empty((9, 10)).ctypes.data == place
    held = [buffers.empty((10, 10)) for _ in range(5)]
    del held, second
    assert len(buffers._free) == 2


def test_threads_never_share_a_buffer():
    buffers = BufferPool(most=3)

    def work(number):
        for _ in range(200):
            mine = buffers.empty((50,))
            mine[:] = number
            if not (mine == number).all():
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
