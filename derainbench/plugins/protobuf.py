"""The wire format of protocol buffers: a message's fields one after the other."""

from __future__ import annotations

from collections.abc import Iterator


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value: a whole number, or bytes (a text, a message, packed numbers, one of fixed size).

    ValueError where the message is damaged.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = varint(message, place)
            yield number, value
            continue
        if kind == 2:
            length, place = varint(message, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if place + length > len(message):
            raise ValueError("a field beyond the message's end")
        yield number, message[place : place + length]
        place += length


def varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it. ValueError where it is cut off."""
    value = 0
    for count, byte in enumerate(message[place : place + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("a number that is cut off, or of more than 64 bits")
