"""The checksums that S3 stores beside an object, without anything but the standard library.

A CRC byte by byte costs Python 100 ns a byte: seconds for one WAL segment. So long inputs are cut
into lanes that advance together, one byte a step, where a "step" is a bytes.translate and an XOR
of long integers, both done in C; then the lanes are joined, which CRCs allow as they are linear.
"""

import base64
import functools
import hashlib
import zlib


class Crc:
    """A reflected CRC of `width` bytes with all bits set at the start and inverted at the end."""

    LANE_SIZE = 256     # bytes of one lane
    LANES_FROM = 16384  # input size from which lanes are worth it

    def __init__(self, width, polynomial):
        self.width = width
        self.all_ones = (1 << (8 * width)) - 1
        self.table = []
        for index in range(256):
            for _ in range(8):
                index = (index >> 1) ^ (polynomial if index & 1 else 0)
            self.table.append(index)
        self.planes = [bytes((value >> (8 * plane)) & 255 for value in self.table)
                       for plane in range(width)]
        self.lane_shift = self.shift_tables(self.LANE_SIZE)

    def advance(self, state, data):
        table = self.table
        for byte in data:
            state = (state >> 8) ^ table[(state ^ byte) & 255]
        return state

    def shift_tables(self, count):
        """For each byte of a state the state after `count` zero bytes: the sum of them is what
        the whole state becomes."""
        single = []
        for bit in range(8 * self.width):
            single.append(self.advance(1 << bit, bytes(count)))
        tables = []
        for place in range(self.width):
            table = [0] * 256
            for value in range(1, 256):
                low = value & -value
                table[value] = table[value ^ low] ^ single[8 * place + low.bit_length() - 1]
            tables.append(table)
        return tables

    def lane_states(self, data, lane_count):
        """The state of each lane of LANE_SIZE bytes, begun with zero."""
        planes = [0] * self.width
        for step in range(self.LANE_SIZE):
            column = int.from_bytes(data[step::self.LANE_SIZE], "little")
            index = (planes[0] ^ column).to_bytes(lane_count, "little")
            shifted = planes[1:] + [0]
            planes = [old ^ int.from_bytes(index.translate(table), "little")
                      for old, table in zip(shifted, self.planes)]
        columns = [plane.to_bytes(lane_count, "little") for plane in planes]
        return [int.from_bytes(state, "little") for state in zip(*columns)]

    def __call__(self, data):
        state = self.all_ones
        data = bytes(data)
        if len(data) >= self.LANES_FROM:
            lane_count = len(data) // self.LANE_SIZE
            head = data[:lane_count * self.LANE_SIZE]
            data = data[len(head):]
            shift = self.lane_shift
            for lane in self.lane_states(head, lane_count):
                moved = lane
                for place, table in enumerate(shift):
                    moved ^= table[(state >> (8 * place)) & 255]
                state = moved
        return self.advance(state, data) ^ self.all_ones


@functools.cache
def crc32c():
    """Castagnoli's, RFC 3720."""
    return Crc(4, 0x82F63B78)


@functools.cache
def crc64nvme():
    """NVM Express, NVM command set 1.0, section 5.2.1.3.4."""
    return Crc(8, 0x9A6C9329AC4BC9B5)


# By the name in x-amz-checksum-NAME: the digest of some bytes, and its size.
DIGESTS = {
    "crc32": (lambda data: zlib.crc32(data).to_bytes(4, "big"), 4),
    "crc32c": (lambda data: crc32c()(data).to_bytes(4, "big"), 4),
    "crc64nvme": (lambda data: crc64nvme()(data).to_bytes(8, "big"), 8),
    "sha1": (lambda data: hashlib.sha1(data).digest(), 20),
    "sha256": (lambda data: hashlib.sha256(data).digest(), 32),
}


def checksum(name, data):
    """The value of the header x-amz-checksum-NAME for `data`."""
    return base64.b64encode(DIGESTS[name][0](data)).decode()


def decode_digest(text, size):
    """The `size` bytes that `text` is the base64 of, None if it is not."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return value if len(value) == size else None


def md5_base64(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()
