"""The event loop of asyncio: a queue of tasks by due time, and streams that tasks wait for.

_asyncio.Task (C) does the rest: it reads cur_task, _task_queue and CancelledError here. A task's `state` is True while it
runs and nobody awaits it, a queue of those who do, None when it has ended unseen, False when it has ended and was awaited;
`data` is what it waits in, or the exception to throw into it, at the end its result as an exception.
"""

import sys
from _asyncio import Task, TaskQueue
from select import POLLIN, POLLOUT, poll
from time import ticks_add, ticks_diff
from time import ticks_ms as ticks

from _hal import report as print_traceback


class CancelledError(BaseException):
    pass


class TimeoutError(Exception):
    pass


_exc_context = {"message": "Task exception wasn't retrieved", "exception": None, "future": None}
_READ, _WRITE = 0, 1
cur_task = None


class _OneYield:
    """Awaited once: the running task is in a queue already; the loop goes on with the next one."""

    def __init__(self):
        self.is_armed = False
        self.error = StopIteration()

    def __iter__(self):
        return self

    def __next__(self):
        if self.is_armed:
            self.is_armed = False
            return
        self.error.__traceback__ = None
        raise self.error


_pause = _OneYield()


def sleep_ms(milliseconds):
    """Wait at least so long."""
    _pause.is_armed = True
    _task_queue.push(cur_task, ticks_add(ticks(), max(0, int(milliseconds))))
    return _pause


def sleep(seconds):
    return sleep_ms(seconds * 1000)


class IOQueue:
    """Which task waits for which stream to become readable or writable."""

    def __init__(self):
        self._poller = poll()
        self.map = {}  # id(stream) -> [reading task, writing task, stream]

    def _wait(self, stream, direction):
        entry = self.map.get(id(stream))
        if entry is None:
            entry = self.map[id(stream)] = [None, None, stream]
        entry[direction] = cur_task
        self._poller.register(stream, (POLLIN if entry[_READ] else 0) | (POLLOUT if entry[_WRITE] else 0))
        cur_task.data = self
        _pause.is_armed = True
        return _pause

    def queue_read(self, stream):
        return self._wait(stream, _READ)

    def queue_write(self, stream):
        return self._wait(stream, _WRITE)

    def _forget(self, stream):
        del self.map[id(stream)]
        self._poller.unregister(stream)

    def remove(self, task):
        """A task that is cancelled waits no more."""
        for entry in list(self.map.values()):
            for direction in (_READ, _WRITE):
                if entry[direction] is task:
                    entry[direction] = None
            self._update(entry)

    def _update(self, entry):
        if entry[_READ] is None and entry[_WRITE] is None:
            self._forget(entry[2])
        else:
            self._poller.modify(entry[2], (POLLIN if entry[_READ] else 0) | (POLLOUT if entry[_WRITE] else 0))

    def wait_io_event(self, timeout_ms):
        """Wait; the tasks whose streams are ready go into the queue."""
        for stream, mask in self._poller.poll(timeout_ms):
            entry = self.map.get(id(stream))
            if entry is None:
                continue
            for direction, other in ((_READ, POLLOUT), (_WRITE, POLLIN)):
                if entry[direction] is not None and mask & ~other:
                    _task_queue.push(entry[direction])
                    entry[direction] = None
            self._update(entry)


def _promote_to_task(awaitable):
    return awaitable if isinstance(awaitable, Task) else create_task(awaitable)


def create_task(coroutine):
    """Let it run; returns its Task."""
    if not hasattr(coroutine, "send"):
        raise TypeError("coroutine expected")
    task = Task(coroutine, globals())
    _task_queue.push(task)
    return task


def _wait_for_work():
    """Until a task is due. False when there is nothing left that could ever happen."""
    while True:
        first = _task_queue.peek()
        if first is None and not _io_queue.map:
            return False
        wait_ms = -1 if first is None else max(0, ticks_diff(first.ph_key, ticks()))
        if wait_ms == 0 and not _io_queue.map:
            return True
        _io_queue.wait_io_event(wait_ms)
        first = _task_queue.peek()
        if first is not None and ticks_diff(first.ph_key, ticks()) <= 0:
            return True


def _end(task, error, thrown):
    """A task has ended, by return (StopIteration), cancellation or an exception of its own; `thrown` was thrown into it."""
    state = task.state
    if not state:  # it ended before and nobody asked: this second turn reports it
        if state is None:
            task.data = thrown
            _exc_context["exception"] = thrown
            _exc_context["future"] = task
            Loop.call_exception_handler(_exc_context)
        return
    is_awaited = state is not True
    if not is_awaited:
        task.state = None
    else:
        if callable(state):
            state(task, error)
        else:
            while state.peek():
                _task_queue.push(state.pop())
        task.state = False
    if not is_awaited and not isinstance(error, (CancelledError, StopIteration)):
        _task_queue.push(task)  # who awaits it before its turn comes gets the exception
    task.data = error


def run_until_complete(main_task=None):
    """Run until main_task has ended (its result), or until nothing is left to do."""
    global cur_task
    while _wait_for_work():
        task = _task_queue.pop()
        cur_task = task
        try:
            thrown = task.data
            if not thrown:
                task.coro.send(None)
            else:
                task.data = None
                task.coro.throw(thrown)
        except (CancelledError, StopIteration, Exception) as error:
            if task is main_task:
                cur_task = None
                if isinstance(error, StopIteration):
                    return error.value
                raise
            _end(task, error, thrown)
    cur_task = None
    return None


def run(coroutine):
    """Run it and everything it starts; returns its result."""
    return run_until_complete(create_task(coroutine))


class Loop:
    _exc_handler = None
    _stop_task = None

    def create_task(coroutine):
        return create_task(coroutine)

    def run_forever():
        async def wait_for_stop():
            sleeper = _Forever()
            await sleeper

        Loop._stop_task = Task(wait_for_stop(), globals())
        _task_queue.push(Loop._stop_task)
        run_until_complete(Loop._stop_task)

    def run_until_complete(awaitable):
        return run_until_complete(_promote_to_task(awaitable))

    def stop():
        if Loop._stop_task is not None:
            _task_queue.push(Loop._stop_task)
            Loop._stop_task = None

    def close():
        pass

    def set_exception_handler(handler):
        Loop._exc_handler = handler

    def get_exception_handler():
        return Loop._exc_handler

    def default_exception_handler(loop, context):
        print(context["message"], file=sys.stderr)
        print("future:", context["future"], "coro=", context["future"].coro, file=sys.stderr)
        print_traceback(context["exception"])

    def call_exception_handler(context):
        (Loop._exc_handler or Loop.default_exception_handler)(Loop, context)


class _Forever:
    """Awaited: gives way once without a place in any queue; only Loop.stop() brings the task back."""

    def __init__(self):
        self._is_first = True

    def __iter__(self):
        return self

    def __next__(self):
        if not self._is_first:
            raise StopIteration
        self._is_first = False


def get_event_loop(runq_len=0, waitq_len=0):
    return Loop


def current_task():
    if cur_task is None:
        raise RuntimeError("no running event loop")
    return cur_task


def new_event_loop():
    """Forget all tasks and streams."""
    global _task_queue, _io_queue, cur_task
    _task_queue = TaskQueue()
    _io_queue = IOQueue()
    cur_task = None
    return Loop


new_event_loop()
