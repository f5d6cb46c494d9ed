"""Compares the relation files of two data directories page by page, with hint bits masked.

A server that replayed WAL has the pages of the one that wrote it, but for what is never logged: hint
bits, the checksum and LSN of a page that they touched, bytes that nobody reads, and the free space
map. What is masked is what wal_consistency_checking masks (src/backend/access/common/bufmask.c and
the mask functions of the access methods). Both servers must be stopped, with all pages written.
"""

import os
import pathlib
import re
import struct

from harness.outcomes import Failed

PAGE_SIZE = 8192
CHUNK = 128 * PAGE_SIZE
HEADER_SIZE = 24
ZERO_PAGE = bytes(PAGE_SIZE)
RELATION = re.compile(r"(base/\d+|global|pg_tblspc/\d+/PG_[^/]+/\d+)/(?P<node>\d+)"
                      r"(?P<fork>_vm|_init)?(\.\d+)?")
MAPS = re.compile(r"(base/\d+|global|pg_tblspc/\d+/PG_[^/]+/\d+)/(pg_filenode\.map|PG_VERSION)")

PAGE_HINTS = 0x0007  # PD_HAS_FREE_LINES, PD_PAGE_FULL, PD_ALL_VISIBLE
LP_FLAGS = 0x3 << 15
LP_NORMAL = 1
# HEAP_XMIN_COMMITTED, _INVALID, HEAP_XMAX_COMMITTED, _INVALID; HEAP_COMBOCID, which redo never sets.
TUPLE_HINTS = 0x0100 | 0x0200 | 0x0400 | 0x0800 | 0x0020
FROZEN = 0x0300
SEQUENCE_MAGIC = 0x1717


def masked(page, fork=""):
    """The page without what two servers may have differently; `fork` is "", "_vm" or "_init"."""
    if page == ZERO_PAGE or len(page) != PAGE_SIZE:
        return page
    page = bytearray(page)
    flags, lower, upper, special = struct.unpack_from("<HHHH", page, 10)
    page[0:10] = bytes(10)  # pd_lsn, pd_checksum
    struct.pack_into("<H", page, 10, flags & ~PAGE_HINTS)
    page[20:24] = bytes(4)  # pd_prune_xid
    # The content of a map's page lies in what its header calls a hole.
    if fork == "_vm" or not HEADER_SIZE <= lower <= upper <= special <= PAGE_SIZE:
        return bytes(page)
    mask_content(page, lower, upper, special)
    return bytes(page)


def mask_content(page, lower, upper, special):
    size = PAGE_SIZE - special
    last = struct.unpack_from("<H", page, PAGE_SIZE - 2)[0]
    if size == 0:
        mask_hole(page, lower, upper)
        mask_tuples(page, lower)
    elif size == 8 and struct.unpack_from("<I", page, special)[0] == SEQUENCE_MAGIC:
        # Redo has the values that the next 32 calls may use up, the server those that were used.
        page[HEADER_SIZE:special] = bytes(special - HEADER_SIZE)
    elif size == 8 and last in (0xF091, 0xF092, 0xF093):
        mask_brin(page, lower, upper, special, is_regular=last == 0xF093)
    elif size == 8:
        (mask_spgist if last == 0xFF82 else mask_gin)(page, lower, upper, special)
    elif size == 16:
        mask_hole(page, lower, upper)
        {0xFF81: mask_gist, 0xFF80: mask_hash}.get(last, mask_btree)(page, lower, special)


def mask_hole(page, lower, upper):
    page[lower:upper] = bytes(upper - lower)


def mask_all(page):
    """A page that is deleted or unused: redo empties it, the server that deleted it does not."""
    page[12:16] = bytes(4)  # pd_lower, pd_upper
    page[HEADER_SIZE:] = bytes(PAGE_SIZE - HEADER_SIZE)


def mask_tuples(page, lower):
    """The tuples of a heap page (heap_mask)."""
    for at in range(HEADER_SIZE, lower - 3, 4):
        pointer = struct.unpack_from("<I", page, at)[0]
        offset, state, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
        if state != LP_NORMAL or length < HEADER_SIZE - 1 or offset + length > PAGE_SIZE:
            continue
        info = struct.unpack_from("<H", page, offset + 20)[0]
        kept = info & ~TUPLE_HINTS
        struct.pack_into("<H", page, offset + 20, kept | FROZEN if info & FROZEN == FROZEN else kept)
        page[offset + 8:offset + 12] = bytes(4)  # the command, which is the server's own
        end = offset + length
        padding = -end % 8
        page[end:end + padding] = bytes(min(padding, PAGE_SIZE - end))


def mask_pointers(page, lower):
    """The states of line pointers: an index may mark an entry as dead without a record."""
    for at in range(HEADER_SIZE, lower - 3, 4):
        pointer = struct.unpack_from("<I", page, at)[0]
        struct.pack_into("<I", page, at, pointer & ~LP_FLAGS)


def mask_flags(page, at, hints):
    """Takes `hints` from the flags at that offset; returns what the flags were."""
    flags = struct.unpack_from("<H", page, at)[0]
    struct.pack_into("<H", page, at, flags & ~hints)
    return flags


def mask_btree(page, lower, special):
    flags = mask_flags(page, special + 12, 0x0040 | 0x0020)  # BTP_HAS_GARBAGE, BTP_SPLIT_END
    page[special + 14:special + 16] = bytes(2)  # the vacuum's cycle
    if flags & 0x0004:  # deleted
        mask_all(page)
    elif flags & 0x0001:  # a leaf
        mask_pointers(page, lower)


def mask_gist(page, lower, special):
    page[special:special + 8] = bytes(8)  # the node's sequence number is an LSN
    if mask_flags(page, special + 12, 0x0008 | 0x0010) & 0x0001:  # F_FOLLOW_RIGHT, F_HAS_GARBAGE
        mask_pointers(page, lower)


def mask_hash(page, lower, special):
    flags = mask_flags(page, special + 12, 0x0080)  # LH_PAGE_HAS_DEAD_TUPLES
    if flags & 0x000F == 0:  # unused
        mask_all(page)
    elif flags & 0x0003:  # with entries
        mask_pointers(page, lower)


def mask_gin(page, lower, upper, special):
    if struct.unpack_from("<H", page, special + 6)[0] & 0x0004:  # deleted
        mask_all(page)
    elif lower > HEADER_SIZE:
        mask_hole(page, lower, upper)


def mask_spgist(page, lower, upper, special):
    if struct.unpack_from("<H", page, special)[0] & 0x0001:
        # The first page remembers, without a record, where there was room last.
        page[HEADER_SIZE + 4:special] = bytes(special - HEADER_SIZE - 4)
    elif lower > HEADER_SIZE:
        mask_hole(page, lower, upper)


def mask_brin(page, lower, upper, special, is_regular):
    mask_flags(page, special + 4, 0x0001)  # BRIN_EVACUATE_PAGE
    if is_regular or lower > HEADER_SIZE:
        mask_hole(page, lower, upper)


def relation_files(data):
    """{relative path: (path, fork)} of the files to compare; the fork of a map is None.

    Left out are free space maps, temporary relations, and unlogged ones but for their init forks.
    """
    found = {}
    for folder, _, names in os.walk(data, followlinks=True):
        for name in names:
            path = pathlib.Path(folder) / name
            key = path.relative_to(data).as_posix()
            match = RELATION.fullmatch(key)
            if match:
                found[key] = (path, match["fork"] or "", f"{match[1]}/{match['node']}")
            elif MAPS.fullmatch(key):
                found[key] = (path, None, "")
    unlogged = {node for _, fork, node in found.values() if fork == "_init"}
    return {key: (path, fork) for key, (path, fork, node) in found.items()
            if fork == "_init" or node not in unlogged}


def differences(one, other):
    """What differs between two data directories, as lines: a file, or a block of a file."""
    first, second = relation_files(one), relation_files(other)
    for key in sorted(first.keys() | second.keys()):
        if key not in first or key not in second:
            path, _ = first.get(key) or second[key]
            # The first file of a dropped relation stays, empty, until the next checkpoint.
            if path.stat().st_size:
                yield f"{key}: only in {one if key in first else other}"
            continue
        (path, fork), (other_path, _) = first[key], second[key]
        if fork is None:
            if path.read_bytes() != other_path.read_bytes():
                yield f"{key}: another content"
        else:
            yield from differences_of_files(key, path, other_path, fork)


def differences_of_files(key, path, other_path, fork):
    with open(path, "rb") as first, open(other_path, "rb") as second:
        block = 0
        while True:
            one, other = first.read(CHUNK), second.read(CHUNK)
            if not one and not other:
                return
            if one != other:
                yield from differences_of_pages(key, block, one, other, fork)
            block += CHUNK // PAGE_SIZE


def differences_of_pages(key, block, one, other, fork):
    for at in range(0, max(len(one), len(other)), PAGE_SIZE):
        # New pages at the end of a file are no loss: only the server that extended it has them.
        first = one[at:at + PAGE_SIZE] or ZERO_PAGE
        second = other[at:at + PAGE_SIZE] or ZERO_PAGE
        if first != second and masked(first, fork) != masked(second, fork):
            pair = zip(masked(first, fork), masked(second, fork))
            offset = next((i for i, (x, y) in enumerate(pair) if x != y), 0)
            yield f"{key}: block {block + at // PAGE_SIZE}, offset {offset}"


def require_same_pages(one, other):
    """Raises Failed with the first differences of two data directories."""
    found = []
    for line in differences(pathlib.Path(one), pathlib.Path(other)):
        found.append(line)
        if len(found) == 20:
            break
    if found:
        raise Failed(f"{one} and {other} differ:\n" + "\n".join(found))
