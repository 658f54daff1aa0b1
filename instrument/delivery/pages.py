"""The pages of a SQLite database and of its write-ahead log, read without SQLite.

SQLite reads nothing of a database whose first page is damaged, and passes in silence over what lies behind a damaged
frame of a log. Both formats are documented: https://sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

PAGE_SIZE = 16_384
"""Large, since a page takes one write, however few bytes it has; small enough for a commit of one message."""

Value = int | float | str | bytes | None

_DATABASE_START = b"SQLite format 3\0" + struct.pack(">HBB", PAGE_SIZE, 2, 2)
_FIRST_PAGE_HEADER = 100
_LEAF = 0x0D
_LEAF_HEADER = 8
_MOST_LOCAL = PAGE_SIZE - 35
_LEAST_LOCAL = (PAGE_SIZE - 12) * 32 // 255 - 23
_MOST_PAYLOAD = 1 << 20
_VARINT_BYTES = 9
_LOG_HEADER = 32
_FRAME_HEADER = 24
_FRAME = _FRAME_HEADER + PAGE_SIZE
_BIG_ENDIAN = 0x377F0683
_MAGIC = (0x377F0682, _BIG_ENDIAN)
_WORD = 0xFFFFFFFF
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT, _ZERO, _ONE, _BLOB = 7, 8, 9, 12
_BREATH = 1e-4
"""Seconds between two steps of looking through a file, each of which takes a few of those."""


def are_sound(database: Path, log: Path) -> bool:
    """Whether a database begins as ours do, and SQLite would pass over nothing in its log that was committed.

    A process that is killed in the middle of a commit may leave a torn frame: what lies behind it was never finished.
    Only where that is the last frame of the commit, over an older one, it cannot be told from a damaged one.
    """
    with database.open("rb") as file:
        if file.read(len(_DATABASE_START)) != _DATABASE_START:
            return False
    if not log.exists():
        return True
    with log.open("rb") as file:
        header = _LogHeader.read(file)
        if header is None:
            return not file.read(1)  # a log that was just begun, or one whose header is damaged
        torn = False
        for frame in _frames(file, header):
            torn = torn or not frame.sound
            if torn and frame.whole and not frame.old and (frame.commits or not frame.current):
                return False
            let_others_run()
    return True


def let_others_run() -> None:
    """Let other threads have the interpreter: a file that is looked through in one go would hold up callers."""
    sleep(_BREATH)


def records(database: Path, log: Path) -> Iterator[Record]:
    """Yield what looks like a row of a table, of every page that is readable: also old rows, and the same one twice."""
    with ExitStack() as stack:
        files: list[BinaryIO] = [stack.enter_context(each.open("rb")) for each in (database, log) if each.exists()]
        pages = _Pages.of(files)
        for page in pages.every:
            yield from _rows(page, pages)


class Record(NamedTuple):
    """A row.

    Attributes:
        rowid: its number; in place of a column that is an integer primary key, there is `None`.
        values: its columns.
    """

    rowid: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _LogHeader:
    """The header of a log.

    Attributes:
        order: the byte order of the words that are summed up.
        salts: what every frame since the last restart of the log carries.
        sums: the checksum of the header, which that of the first frame goes on from.
        restarts: how often the log was begun anew.
    """

    order: str
    salts: bytes
    sums: tuple[int, int]
    restarts: int

    @classmethod
    def read(cls, file: BinaryIO) -> Self | None:
        """Read a header; `None` where it is damaged."""
        raw = file.read(_LOG_HEADER)
        if len(raw) < _LOG_HEADER:
            return None
        magic, _, page_size, restarts, _, _, first, second = struct.unpack(">8I", raw)
        order = ">" if magic == _BIG_ENDIAN else "<"
        sums = _checksum(raw[:_FRAME_HEADER], order, (0, 0))
        sound = magic in _MAGIC and page_size == PAGE_SIZE and sums == (first, second)
        return cls(order, raw[16:24], sums, restarts) if sound else None

    def precedes(self, salts: bytes) -> bool:
        """Whether a frame with these salts may be left from before a restart, at each of which the first one grows."""
        age = int.from_bytes(self.salts[:4], "big") - int.from_bytes(salts[:4], "big") & _WORD
        return 1 <= age <= self.restarts


@dataclass(frozen=True, slots=True)
class _Frame:
    """One version of one page, in a log.

    Attributes:
        number: of the page.
        content: the page.
        whole: whether the file does not end within it.
        current: whether it was written since the last restart of the log, as far as can be told.
        old: whether it may well be left from before that: nobody knows its checksum.
        sound: whether its checksum is right, or it is an old one.
        commits: whether it is the last one of a transaction.
    """

    number: int
    content: bytes
    whole: bool
    current: bool
    old: bool
    sound: bool
    commits: bool


def _frames(file: BinaryIO, header: _LogHeader | None) -> Iterator[_Frame]:
    salts, sums = (_likely_salts(file), (0, 0)) if header is None else (header.salts, header.sums)
    while len(raw := file.read(_FRAME)) > _FRAME_HEADER:
        current = raw[8:16] == salts
        sound = old = header is not None and not current and header.precedes(raw[8:16])
        whole = len(raw) == _FRAME
        if header is not None and current and whole:
            sums = _checksum(raw[_FRAME_HEADER:], header.order, _checksum(raw[:8], header.order, sums))
            sound = sums == struct.unpack(">II", raw[16:24])
        commits = raw[4:8] != bytes(4)
        yield _Frame(int.from_bytes(raw[:4], "big"), raw[_FRAME_HEADER:], whole, current, old, sound, commits)


def _likely_salts(file: BinaryIO) -> bytes:
    """Return the salts that most of the first frames carry; of several, the last ones, which count up."""
    begin = file.tell()
    found = [raw[8:16] for _ in range(3) if len(raw := file.read(_FRAME)) > _FRAME_HEADER]
    file.seek(begin)
    return max(found, key=lambda salts: (found.count(salts), salts), default=b"")


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    for even, odd in struct.iter_unpack(order + "II", data):
        first = first + even + second & _WORD
        second = second + odd + first & _WORD
    return first, second


@dataclass(frozen=True, slots=True)
class _Place:
    file: BinaryIO
    offset: int

    def read(self) -> bytes:
        self.file.seek(self.offset)
        return self.file.read(PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class _Page:
    """A version of a page, wherever it lies."""

    number: int
    place: _Place


@dataclass(frozen=True, slots=True)
class _Pages:
    """Every version of every page.

    Attributes:
        every: all of them, older ones first.
        newest: where the newest version of each page lies, by its number.
    """

    every: list[_Page]
    newest: dict[int, _Place]

    @classmethod
    def of(cls, files: list[BinaryIO]) -> Self:
        """Look through a database and, if there is one, its log."""
        database, *logs = files
        size = database.seek(0, 2)
        every = [_Page(offset // PAGE_SIZE + 1, _Place(database, offset)) for offset in range(0, size, PAGE_SIZE)]
        newest = {each.number: each.place for each in every}
        for log in logs:
            log.seek(0)
            header = _LogHeader.read(log)
            log.seek(_LOG_HEADER)
            for index, frame in enumerate(_frames(log, header)):
                page = _Page(frame.number, _Place(log, _LOG_HEADER + index * _FRAME + _FRAME_HEADER))
                every.append(page)
                if frame.current:
                    newest[frame.number] = page.place
        return cls(every, newest)


def _rows(page: _Page, pages: _Pages) -> Iterator[Record]:
    """Yield the rows of one page, whatever its header says of their number."""
    content = page.place.read()
    start = _FIRST_PAGE_HEADER if page.number == 1 else 0
    if len(content) <= start or content[start] != _LEAF:
        return
    slot, cells = start + _LEAF_HEADER, PAGE_SIZE
    while slot + 2 <= cells:
        place = int.from_bytes(content[slot : slot + 2], "big")
        slot += 2
        if slot <= place < len(content):
            cells = min(cells, place)
            try:
                rowid, payload = _cell(content, place, pages)
                yield Record(rowid, _columns(payload))
            except (LookupError, ValueError, struct.error):
                continue  # what stood there once, or a damaged row


def _cell(content: bytes, place: int, pages: _Pages) -> tuple[int, bytes]:
    """Return the number of a row and its payload, of which a long one goes on in other pages.

    Args:
        content: the page.
        place: where the cell begins in it, in bytes.
        pages: the other pages of the file.

    Raises:
        ValueError: the payload is longer than any of ours: it is no row.
    """
    size, place = _varint(content, place)
    rowid, place = _varint(content, place)
    if size > _MOST_PAYLOAD:
        raise ValueError(size)
    local = size
    if size > _MOST_LOCAL:
        local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_SIZE - 4)
        local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    payload = content[place : place + local]
    following = int.from_bytes(content[place + local : place + local + 4], "big")
    while len(payload) < size:
        more = pages.newest[following].read()
        payload += more[4 : 4 + size - len(payload)]
        following = int.from_bytes(more[:4], "big")
        if len(more) < PAGE_SIZE:
            break
    if len(payload) < size:
        raise ValueError(size)
    return rowid, payload


def _columns(payload: bytes) -> tuple[Value, ...]:
    """Read the columns of a row."""
    header_size, at = _varint(payload, 0)
    place = header_size
    values: list[Value] = []
    while at < header_size:
        kind, at = _varint(payload, at)
        value, place = _value(payload, place, kind)
        values.append(value)
    return tuple(values)


def _value(payload: bytes, place: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, place
    if kind in (_ZERO, _ONE):
        return kind - _ZERO, place
    if kind == _FLOAT:
        return struct.unpack_from(">d", payload, place)[0], place + 8
    if kind < _BLOB:
        end = place + _INTEGERS[kind]
        return int.from_bytes(payload[place:end], "big", signed=True), end
    end = place + (kind - _BLOB) // 2
    if end > len(payload):
        raise ValueError(kind)
    raw = payload[place:end]
    return (raw.decode() if kind % 2 else raw), end


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Read a number of up to nine bytes, and where the next one begins."""
    value = 0
    for index in range(_VARINT_BYTES - 1):
        byte = content[place + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that there is more
            return value, place + index + 1
    return value << 8 | content[place + _VARINT_BYTES - 1], place + _VARINT_BYTES
