"""Connections that cannot be held open for nothing: bounds on their time, number, heads and unread bodies.

uvicorn has none of these on receiving a request (looked up in 0.54). Its protocol calls back from the parser;
this one counts there, and one sweep looks at whoever has waited too long.
"""

from __future__ import annotations

import asyncio
import resource
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from relay.receiving.express import Express, Ride
from relay.serving.crowd import Crowd, Place
from relay.serving.hatch import Hatch

log = structlog.get_logger("relay.connections")

MOST_HEAD = 64 * 1024  # bytes of a request line with its headers
MOST_HEADERS = 256
MOST_PIPELINED = 64  # requests behind one that has not been answered; one read could bring thousands
FRAMING = 8  # bytes around each byte of a chunked body, beyond `MOST_HEAD` of them
RESERVE = 128  # files that are not connections: database, log, spool, the loop's own


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, within bounds, that closes without taking back the answer it has given."""

    def __init__(self, crowd: Crowd, express: Express | None, **given: Any) -> None:  # noqa: ANN401, RUF100 - uvicorn's own
        super().__init__(**given)
        self.place: Place | None = None
        self.unread = 0  #: bytes of an unfinished body, as the crowd has counted them
        self._crowd = crowd
        self._express = express
        self._ride: Ride | None = None  # of the request that is being read, or was read last
        self._head: int | None = 0  # bytes of a head that has not ended; None after its end
        self._owing = False  # whether a request has begun and not ended
        self._wire = self._body = 0  # bytes since the head, and how many of them are the body's
        self._leaving = False
        self._deaf = False  # what comes now is heeded no more; the answers that are due go out
        self._upgrading = False
        self._discarded = 0
        self._real: asyncio.Transport
        self._seen: _Closing

    # -- the connection --------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        self._real = transport
        self._seen = _Closing(transport, self)
        super().connection_made(self._seen)
        self._crowd.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leaving = True
        self._forget()
        super().connection_lost(exc)

    def cut(self) -> None:
        """End it at once; what it still owes us or we owe it is void."""
        self._leaving = True
        if self.unread:  # at once, and not when its task runs: until then, others go on sending
            self.cycle.body = bytearray()
        self._forget()
        self._real.abort()

    def _forget(self) -> None:
        self._crowd.move(self, None)
        self._crowd.hold(self, 0)

    @property
    def leaving(self) -> bool:
        """Whether the last answer has been given."""
        return self._leaving

    def leave(self) -> None:
        """Close once the answer has arrived: closed with bytes unread, TCP would take it back."""
        if self._leaving:
            return
        self._seen.flush()
        self._leaving = True
        self._crowd.hold(self, 0)
        self._crowd.move(self, self._crowd.leaving)
        if self._owing and self._real.can_write_eof():
            self._real.write_eof()
            self.flow.resume_reading()
        else:
            self._real.close()

    @property
    def _between(self) -> bool:
        """Whether nothing of a request has come and no answer is due: anybody could go on with it."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not (self._leaving or self._owing or self._deaf or answering or self.pipeline)

    def pass_on(self, hatch: Hatch) -> None:
        """Let the successor have it, if it is idle; what comes from now on, nobody has read."""
        if not self._between or self._real.is_closing() or self._real.get_write_buffer_size():
            return
        if hatch.give(self._real.get_extra_info("socket").fileno()):
            self.cut()

    def rest(self) -> None:
        """Be idle, as it was with the predecessor, unless something has come since."""
        if self._between and not self._real.is_closing():
            self._crowd.move(self, self._crowd.idle)

    def retire(self) -> None:
        """Close it, for it has been idle for long; unless it is answering."""
        if self._between:
            self.leave()
        else:
            self._crowd.move(self, None)

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn's answers nobody who has finished sending
        """Answer whoever ends its side after a request; true while an answer is due."""
        if self._leaving:
            return False
        if self._owing:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return not self._leaving
        self._deaf = self.cycle is not None and not self.cycle.response_complete
        return self._deaf

    def pause_writing(self) -> None:
        super().pause_writing()
        self._crowd.move(self, self._crowd.waiting)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._owing and not self._leaving:
            self._crowd.move(self, None)

    # -- what comes ------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._leaving or self._deaf:
            self._discard(len(data))
            return
        if self._head is None:
            self._wire += len(data)
            self._feed(data)
            if self._owing and self._wire > MOST_HEAD + FRAMING * self._body:
                self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            self._feed_head(data, MOST_HEAD - self._head)
        if self._leaving:
            return
        if self._owing or self.cycle is None or self.cycle.response_complete:
            self._crowd.move(self, self._crowd.waiting)
        if self._owing and self._head is None:
            self._crowd.hold(self, self._body)

    def _feed_head(self, data: bytes, room: int) -> None:
        """Feed what may hold the end of a head, and no more of it than a head may have."""
        if len(data) <= room:
            self._head = MOST_HEAD - room + len(data)
            self._feed(data)
            return
        self._head = MOST_HEAD
        if room:
            self._feed(data[:room])
        if self._leaving or self._deaf:
            return
        if self._head == MOST_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._feed(data[room:])

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self._go_on_without_upgrade(data[exc.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not: the parser drops the body of such.

        Java's HttpClient, for one, offers HTTP/2 with its first request on every connection.
        """
        self._upgrading = False
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        lines = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        head = b"\r\n".join((method + b" " + self.url + b" HTTP/1.1", *lines, b"", b""))
        self.parser = httptools.HttpRequestParser(self)
        self._head = 0
        self._feed(head + rest)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if not self._leaving:
            self.flow.pause_reading()
        elif self._discarded > self._crowd.limits.lingering_bytes:
            self.cut()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is no request, after the answers that are due to those before it."""
        self._crowd.note("refused")
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or not cycle.more_body:
                self._deaf = True
                self.flow.pause_reading()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._owing = True
        line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        self._seen.write(line.encode() + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.leave()

    # -- what the parser calls -------------------------------------------------

    def on_message_begin(self) -> None:
        self._owing = True
        self._ride = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is not None:  # trailers are nobody's
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head = None
        self._wire = self._body = 0
        if len(self.headers) > MOST_HEADERS:
            raise ValueError("too many headers")
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests at once")
        if self.parser.should_upgrade():
            self._upgrading = True
        elif self._express is not None and self._goes_by(self._express):
            self._ride = self.cycle = Ride(self._express.take, self._arrive)  # type: ignore[assignment]
        else:
            self._begin_cycle()

    def _goes_by(self, express: Express) -> bool:
        """Whether it is a usual callback and nobody before it waits for an answer."""
        if self.flow.write_paused or not (self.cycle is None or self.cycle.response_complete):
            return False
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return False
        return parser.should_keep_alive() and express.admits(self.url, self.headers, self.client)

    def _begin_cycle(self) -> None:
        """Begin as uvicorn does; it makes at the beginning what is known now that it needs."""
        url, headers, expecting = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expecting
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self._ride is not None:
            self._ride.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._owing = False
        self._head = 0
        self._crowd.hold(self, 0)
        if not self.flow.write_paused:
            self._crowd.move(self, None)
        if self._ride is not None:
            self._ride.begin()
        else:
            super().on_message_complete()

    def _arrive(self, ride: Ride) -> None:
        """Answer what came by express."""
        if ride.disconnected or self._leaving or self._express is None:
            return
        last = self._crowd.closing or not ride.keep_alive
        self._real.write(self._express.answer(self.server_state.default_headers, last=last))
        ride.response_complete = True
        if last:
            self.leave()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but idle connections are the crowd's, and not a timer's each."""
        self.server_state.total_requests += 1
        if self._seen.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.cycle.response_complete and (self.cycle.more_body or self._deaf):
            self.leave()  # whoever is answered before the end of a request is listened to no longer
        elif not self._owing and not self.flow.write_paused:
            self._crowd.move(self, self._crowd.idle)


class _Closing(asyncio.Transport):
    """The transport as uvicorn sees it: to close it is to leave.

    uvicorn writes head and body of an answer one after the other. Here both go out together: a call of
    the system costs more than all that was done to read the request.
    """

    def __init__(self, real: asyncio.Transport, connection: Connection) -> None:
        super().__init__()
        self._real = real
        self._connection = connection
        self._head = b""  # of an answer whose body is to come in the same breath

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif isinstance(data, bytes) and data.startswith(b"HTTP/1.1 200 "):
            self._head = data
            asyncio.get_running_loop().call_soon(self.flush)
            return
        self._real.write(data)

    def flush(self) -> None:
        """Write a head whose body did not come."""
        head, self._head = self._head, b""
        if head and not self._real.is_closing():
            self._real.write(head)

    def close(self) -> None:
        self._connection.leave()

    def is_closing(self) -> bool:
        return self._connection.leaving or self._real.is_closing()

    def pause_reading(self) -> None:
        self._real.pause_reading()

    def resume_reading(self) -> None:
        self._real.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401, RUF100 - asyncio's
        return self._real.get_extra_info(name, default)


def room_for_connections(most: int) -> int:
    """Raise the process's limit of open files as far as it may go; how many connections fit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, most + RESERVE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # macOS has a limit of its own below
            log.warning("file_limit_not_raised", limit=soft)
    return max(1, min(most, soft - RESERVE))
