"""Counts the HTTP/1 requests in one direction of a connection, without looking into bodies."""

import re

HEAD_SIZE_MAX = 64 << 10  # no client of ours sends a longer one
HEAD_END = b"\r\n\r\n"
REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)
# A length that is no number, or a body that is not announced by its length.
UNSIZED = re.compile(rb"\r\n(content-length:(?![ \t]*[0-9]+[ \t]*\r\n)|transfer-encoding:)", re.IGNORECASE)


def request_name(method, target):
    """The method; "LIST" for a GET that lists objects or uploads, in S3's reference ListObjectsV2 and
    ListMultipartUploads."""
    words = target.partition("?")[2].split("&")
    is_list = method == "GET" and any(
        word.startswith(("list-type=", "uploads=")) or word == "uploads" for word in words)
    return "LIST" if is_list else method


class RequestCounter:
    """Adds to `counts`, {name: count}. A connection that is not plain HTTP, or whose bodies have no
    length, counts as "unreadable", once."""

    def __init__(self, counts):
        self.counts = counts
        self.head = b""
        self.body_left = 0
        self.is_readable = True

    def read(self, data):
        """The next bytes of the stream, cut anywhere."""
        while data and self.is_readable:
            if self.body_left:
                skipped = min(self.body_left, len(data))
                self.body_left -= skipped
                data = data[skipped:]
                continue
            before = len(self.head)
            self.head += data[:HEAD_SIZE_MAX]
            end = self.head.find(HEAD_END, max(0, before - len(HEAD_END) + 1))
            if end >= 0:
                self.head = self.head[:end + len(HEAD_END)]
                data = data[len(self.head) - before:]
                self.finish_head()
            elif len(self.head) >= HEAD_SIZE_MAX or not self.head[:1].isupper():
                self.give_up()
            else:
                return

    def finish_head(self):
        line, length = REQUEST_LINE.match(self.head), LENGTH.search(self.head)
        if line is None or UNSIZED.search(self.head):
            self.give_up()
            return
        name = request_name(line[1].decode(), line[2].decode(errors="replace"))
        self.counts[name] = self.counts.get(name, 0) + 1
        self.body_left = int(length[1]) if length else 0
        self.head = b""

    def give_up(self):
        self.is_readable = False
        self.counts["unreadable"] = self.counts.get("unreadable", 0) + 1
