"""What an engine prints: its own output, and that of all processes that a task starts.

File descriptors 1 and 2 of an engine lead into pipes, whose content is published as output of the
task that runs. Programs and C code print there anyway. A forked child prints there too: it has none
of the engine's threads, and its copies of the engine's sockets and locks can't be used.
"""

import codecs
import fcntl
import io
import os
import select
import struct
import termios
import threading
from typing import TextIO

from ipykernel.iostream import OutStream

ECHO_BYTES = select.PIPE_BUF
"""A pipe that can be written to takes so much without blocking."""


class EngineStream(OutStream):
    """An engine's `sys.stdout` or `sys.stderr`."""

    _child: TextIO | None = None

    def _setup_stream_redirects(self, name: str) -> None:
        self._drain_lock = threading.Lock()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        super()._setup_stream_redirects(name)

    def _watch_pipe_fd(self) -> None:
        poll = select.poll()
        poll.register(self._fid, select.POLLIN)
        while True:
            poll.poll()
            if not self._should_watch:
                return
            self._drain()

    def _drain(self) -> None:
        """Publish what is in the pipe at this moment, and copy it to the container's log."""
        with self._drain_lock:
            size = fcntl.ioctl(self._fid, termios.FIONREAD, bytes(4))
            data = os.read(self._fid, struct.unpack("i", size)[0])
            super().write(self._decode(data))
            for start in range(0, len(data), ECHO_BYTES):
                _, ready, _ = select.select([], [self._original_stdstream_copy], [], 0)
                if ready:  # a log that can't be written must not stop tasks
                    os.write(self._original_stdstream_copy, data[start : start + ECHO_BYTES])

    def fileno(self) -> int:
        """The descriptor that programs may print to, so that it is heard as well."""
        return {"stdout": 1, "stderr": 2}[self.name]

    def write(self, string: str) -> int | None:
        """Write text: by way of the pipe in a child."""
        return super().write(string) if self._is_master_process() else self._own().write(string)

    def flush(self) -> None:
        """Hand over everything that was printed, by children and programs too."""
        if not self._is_master_process():
            self._own().flush()
            return
        if self._should_watch:
            self._drain()
        super().flush()

    def _own(self) -> TextIO:
        """This child's own file on the pipe; not one that a child inherited from another."""
        if self._child is None:
            raw = io.FileIO(self.fileno(), "w", closefd=False)
            self._child = io.TextIOWrapper(
                io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True
            )
        return self._child

    def close(self) -> None:
        """Close the stream; a child has nothing to close."""
        if self._is_master_process():
            super().close()
