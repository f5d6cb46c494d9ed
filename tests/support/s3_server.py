#!/usr/bin/env python3
"""A strict little S3 server for tests, which misbehaves on cue.

usage: s3_server.py --port-file FILE [--port N] [--access-key K --secret-key S] [--session-token T]
           [--region R] [--bucket B]... [--tls CERT KEY] [--min-part-size N] [--page-size N]
           [--no-conditional] [--ignore-if-none-match] [--require-if-none-match]
           [--no-list-permission]

Listens on 127.0.0.1, writes "PORT\\n" to FILE, keeps everything in memory, and ends when its stdin
does, so that a test that dies leaves nothing behind. It verifies signatures, payload hashes and
checksums completely and refuses what it does not know; path style, and virtual-host style for
BUCKET.s3.localhost. With --tls the port speaks TLS, and plain HTTP for the control interface only.

Control, unsigned and on the same port:
  POST /_control/faults   a JSON list of rules (s3_faults.py); replaces all earlier ones
  POST /_control/options  a JSON object: conditional, ignore_if_none_match, require_if_none_match,
                          list_permission, page_size, upload_age; only what it names changes
  POST /_control/reset    drops objects, uploads, rules, log and changed options
  GET  /_control/log      all S3 requests since the reset, in the order of their arrival: method,
                          bucket, key, operation, query, headers as [name, value], body_size, status
                          (null before and without an answer), connection (a number), fault (the
                          action or {}), seconds (of the monotonic clock, at the arrival)
  GET  /_control/state    {"buckets", "objects", "uploads"}

Actions of a rule; "before" the work unless the action says otherwise:
  {"status": 503, "code": "SlowDown", "headers": {...}, "body": "...", "close": true}
  {"after": true, "status": 500}      the work is done, then the error is answered
  {"reset": "before"|"after"|"body"}  RST: before or after the work, or amid the body: the request's
                                      if it has one (nothing is done), else the answer's
  {"truncate": n}                     the connection ends after n bytes of the answer's body
  {"stall": seconds}                  pauses before the work, with "after" behind it, with "truncate"
                                      after n bytes of the answer's body; -1: until the client goes
  {"slow": n}                         bodies of request and answer at n bytes a second
  {"flip": offset}                    one bit of that byte of the answer's body; negative: from the end
  {"ok_with_error": "InternalError"}  200 with an error document
  {"redirect": url, "status": 307}    Location and Endpoint, nothing done
  {"huge_headers": n}                 n bytes of further headers
  {"huge_xml": n}                     instead of the answer 200 with a document of n bytes
  {"date_skew": seconds}              the server's clock is so much ahead for this request
  {"wrong_checksum": true}            ETag and x-amz-checksum-* of the answer are of other bytes
  {"no_checksum": true}               the answer tells an ETag and no x-amz-checksum-*, as many stores
  {"etag": "..."}                     the answer's ETag is this
  {"store_truncated": n}              stores the first n bytes only, and answers 200 with their sums
"""

import argparse
import dataclasses
import datetime
import io
import itertools
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

from s3_faults import Script
from s3_objects import PART_SIZE_MIN, ObjectStore
from s3_operations import Operations, Options, http_date
from s3_request import CHECKSUM_PREFIX, Answer, Call, error_answer
from s3_signature import Credentials, Refusal, SignedRequest, verify

LINE_MAX = 16384
HEADERS_MAX = 200
BODY_MAX = 5 << 30
REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
           307: "Temporary Redirect", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
           409: "Conflict", 411: "Length Required", 412: "Precondition Failed",
           416: "Requested Range Not Satisfiable", 429: "Too Many Requests",
           500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}
CODES = {301: "PermanentRedirect", 307: "TemporaryRedirect", 403: "AccessDenied",
         404: "NoSuchKey", 409: "ConditionalRequestConflict", 412: "PreconditionFailed",
         429: "TooManyRequests", 500: "InternalError", 503: "SlowDown"}


class Disconnected(Exception):
    """The client went away, or the script says that this connection ends now."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, arguments):
        super().__init__(("127.0.0.1", arguments.port), Connection)
        self.credentials = Credentials(arguments.access_key, arguments.secret_key, arguments.region,
                                       arguments.session_token)
        self.store = ObjectStore(arguments.bucket, arguments.min_part_size)
        self.script = Script()
        self.first_options = Options(
            not arguments.no_conditional, arguments.ignore_if_none_match,
            arguments.require_if_none_match, not arguments.no_list_permission, arguments.page_size)
        self.operations = Operations(self.store, self.first_options, arguments.region)
        self.connection_numbers = itertools.count(1)
        self.request_numbers = itertools.count(1)
        self.tls = None
        if arguments.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*arguments.tls)

    def shutdown_request(self, request):
        """Without the FIN of the base class, which would spoil a scripted RST."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, Disconnected)):
            super().handle_error(request, client_address)

    def control(self, method, path, body):
        """(status, answer) of the control interface."""
        try:
            if (method, path) == ("POST", "/_control/faults"):
                self.script.set_rules(body)
            elif (method, path) == ("POST", "/_control/options"):
                self.operations.options = dataclasses.replace(self.operations.options,
                                                              **json.loads(body))
            elif (method, path) == ("POST", "/_control/reset"):
                self.operations.options = self.first_options
                self.store.reset()
                self.script.reset()
            elif (method, path) == ("GET", "/_control/log"):
                return 200, self.script.log()
            elif (method, path) == ("GET", "/_control/state"):
                return 200, self.store.state()
            else:
                return 404, {"error": f"no {method} {path}"}
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return 400, {"error": str(error)}
        return 200, {}


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        self.number = next(self.server.connection_numbers)
        self.socket = self.request
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_tls = False
        # The first byte of a TLS connection is that of a handshake record.
        if self.server.tls and self.socket.recv(1, socket.MSG_PEEK) == b"\x16":
            self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
            self.is_tls = True
        self.input = self.socket.makefile("rb", 1 << 16)
        try:
            while self.serve_one():
                pass
        except (Disconnected, OSError):
            pass
        finally:
            self.input.close()
            if self.is_tls:
                # The server closes the socket it accepted, which is empty since it was wrapped.
                self.socket.close()

    # Reading

    def read_line(self):
        line = self.input.readline(LINE_MAX + 1)
        if not line.endswith(b"\r\n"):
            raise Disconnected
        return line[:-2].decode("latin-1")

    def read_head(self):
        """(method, target, headers); None at the end of the connection."""
        parts = self.read_line().split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise Disconnected
        headers = []
        while line := self.read_line():
            name, colon, value = line.partition(":")
            if not colon or len(headers) == HEADERS_MAX:
                raise Disconnected
            headers.append((name, value.strip(" \t")))
        return parts[0], parts[1], headers

    def read_body(self, size, rate=None, end=None):
        """`size` bytes of the request's body, at most `rate` a second, only up to `end`."""
        body = io.BytesIO()
        stop = size if end is None else end
        while body.tell() < stop:
            piece = stop - body.tell()
            if rate:
                piece = min(piece, max(1, rate // 20))
                self.wait_for_seconds(piece / rate)
            data = self.input.read(piece)
            if not data:
                raise Disconnected
            body.write(data)
        return body.getvalue()

    def wait_for_seconds(self, seconds):
        """Pauses as the script demands; a negative number is until the client goes."""
        end = None if seconds < 0 else time.monotonic() + seconds
        gone = threading.Event()
        while not gone.is_set() and (end is None or time.monotonic() < end):
            left = 0.2 if end is None else min(0.2, max(0.0, end - time.monotonic()))
            gone.wait(left)
            if self.has_gone():
                raise Disconnected

    def has_gone(self):
        """Whether the client closed or reset the connection."""
        try:
            # A TLS socket cannot peek; the one below it can.
            raw = socket.socket(fileno=os.dup(self.socket.fileno()))
        except OSError:
            return True
        with raw:
            try:
                return raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

    # Serving

    def serve_one(self):
        """Whether the connection goes on."""
        method, target, headers = self.read_head()
        if target.startswith("/_control/"):
            return self.serve_control(method, target, headers)
        if self.server.tls and not self.is_tls:
            raise Disconnected
        call = Call(method, target, headers, self.number)
        call.fault = self.server.script.take(call)
        entry = {"method": method, "bucket": call.bucket, "key": call.key, "query": call.query,
                 "operation": call.operation, "headers": [list(header) for header in headers],
                 "body_size": 0, "status": None, "connection": self.number, "fault": call.fault,
                 "seconds": time.monotonic()}
        # Before the work, so that whoever has an answer, or none, finds the request in the log.
        self.server.script.record(entry)
        answer, goes_on = self.answer_to(call, entry)
        self.send(call, answer, entry, goes_on)
        return goes_on

    def serve_control(self, method, target, headers):
        size = int(dict((name.lower(), value) for name, value in headers).get("content-length", 0))
        status, content = self.server.control(method, target, self.read_body(size).decode())
        body = json.dumps(content).encode()
        self.send_bytes(self.head_of(status, [("Content-Type", "application/json"),
                                              ("Content-Length", str(len(body)))]) + body)
        return not any(name.lower() == "connection" and value.lower() == "close"
                       for name, value in headers)

    def answer_to(self, call, entry):
        """(answer, whether the connection goes on afterwards). Does the work."""
        skew = datetime.timedelta(seconds=call.fault.get("date_skew", 0))
        call.moment = datetime.datetime.now(datetime.timezone.utc) + skew
        call.request_id = f"WALDEN{next(self.server.request_numbers):010X}"
        goes_on = not call.fault.get("close") and (call.header("connection") or "") != "close"
        is_early = True
        try:
            size = self.body_size(call)
            if (call.header("expect") or "").lower() == "100-continue":
                # Wrong credentials are told before the body is sent.
                self.verify(call)
                self.send_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
            is_early = False
            self.receive_body(call, size)
            entry["body_size"] = len(call.body)
            return self.work(call), goes_on
        except Refusal as refusal:
            # Where the body was not read, what follows on the connection is no request.
            return error_answer(refusal, call, call.request_id), goes_on and not is_early

    @staticmethod
    def body_size(call):
        text = call.header("content-length")
        if call.header("transfer-encoding") is not None or (
                text is None and call.method in ("PUT", "POST")):
            raise Refusal(411, "MissingContentLength",
                          "You must provide the Content-Length HTTP header.")
        if text is not None and not text.isdecimal():
            raise Refusal(400, "InvalidRequest", "Content-Length is no number")
        size = int(text or 0)
        if size > BODY_MAX:
            raise Refusal(400, "EntityTooLarge",
                          "Your proposed upload exceeds the maximum allowed size")
        return size

    def receive_body(self, call, size):
        fault = call.fault
        if fault.get("reset") == "body" and size > 0:
            self.read_body(size, fault.get("slow"), size // 2)
            self.reset_connection()
        call.body = self.read_body(size, fault.get("slow"))

    def verify(self, call):
        payload_hash = call.header("x-amz-content-sha256") or ""
        verify(SignedRequest(call.method, call.raw_path, call.raw_query, call.headers, payload_hash),
               self.server.credentials, call.moment)

    def work(self, call):
        """The answer, after what the script does before or instead of the work."""
        fault = call.fault
        if fault.get("reset") == "before":
            self.reset_connection()
        is_after = fault.get("after", False)
        if "stall" in fault and not is_after and "truncate" not in fault:
            self.wait_for_seconds(fault["stall"])
        scripted = scripted_answer(call)
        if scripted is not None and not is_after:
            return scripted
        self.verify(call)
        answer = self.server.operations.run(call)
        if fault.get("reset") == "after":
            self.reset_connection()
        if "stall" in fault and is_after:
            self.wait_for_seconds(fault["stall"])
        return answer if scripted is None else scripted

    def reset_connection(self):
        """Ends the connection with RST: what the client had not read is lost, too."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Disconnected

    # Answering

    @staticmethod
    def head_of(status, headers):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, call, answer, entry, goes_on):
        fault = call.fault
        headers = [("x-amz-id-2", "walden-test-server"), ("x-amz-request-id", call.request_id),
                   ("Date", http_date(call.moment)), ("Server", "AmazonS3")]
        headers += answer.headers
        body = answer.body
        if "flip" in fault and body:
            changed = bytearray(body)
            changed[fault["flip"]] ^= 1
            body = bytes(changed)
        if fault.get("wrong_checksum"):
            headers = [(name, falsified(name, value)) for name, value in headers]
        if fault.get("no_checksum"):
            headers = [(name, value) for name, value in headers
                       if not name.lower().startswith(CHECKSUM_PREFIX)]
        if "etag" in fault:
            headers = [(name, fault["etag"] if name == "ETag" else value) for name, value in headers]
        for index in range(fault.get("huge_headers", 0) // 1000):
            headers.append((f"x-amz-meta-huge-{index}", "h" * 975))
        if not goes_on:
            headers.append(("Connection", "close"))
        is_chunked = answer.is_document and call.method != "HEAD"
        if is_chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            body = in_chunks(body)
        elif answer.status != 204 and not (call.method == "HEAD" and answer.is_document):
            headers.append(("Content-Length", str(len(body))))
        entry["status"] = answer.status
        if call.method == "HEAD" or answer.status == 204:
            body = b""
        self.send_with_faults(fault, self.head_of(answer.status, headers), body)

    def send_with_faults(self, fault, head, body):
        end = fault.get("truncate")
        if fault.get("reset") == "body":
            end = len(body) // 2
        if end is None and not fault.get("slow"):
            self.send_bytes(head + body)
            return
        self.send_bytes(head)
        rate = fault.get("slow")
        step = max(1, rate // 20) if rate else 1 << 20
        stop = len(body) if end is None else min(end, len(body))
        for start in range(0, stop, step):
            piece = body[start:min(start + step, stop)]
            if rate:
                self.wait_for_seconds(len(piece) / rate)
            self.send_bytes(piece)
        if end is None:
            return
        if "stall" in fault:
            self.wait_for_seconds(fault["stall"])
        if fault.get("reset") == "body":
            self.reset_connection()
        raise Disconnected


def falsified(name, value):
    """A header's value as it would be of other bytes."""
    if name.lower() == "etag" or (name.lower().startswith("x-amz-checksum-")
                                  and name.lower() != "x-amz-checksum-type"):
        place = 1
        other = "0" if value[place] != "0" else "1"
        return value[:place] + other + value[place + 1:]
    return value


def in_chunks(body):
    size = 8192
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def scripted_answer(call):
    """The answer that the fault demands instead of the real one, or None."""
    fault = call.fault
    if "huge_xml" in fault:
        begin = b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult><Name>'
        return Answer(200, [("Content-Type", "application/xml")],
                      begin + b"n" * max(0, fault["huge_xml"] - len(begin)), True)
    if "ok_with_error" in fault:
        refusal = Refusal(200, fault["ok_with_error"],
                          "We encountered an internal error. Please try again.")
        return error_answer(refusal, call, call.request_id)
    if "redirect" in fault:
        status = fault.get("status", 307)
        endpoint = fault["redirect"].partition("//")[2].partition("/")[0]
        answer = error_answer(Refusal(status, fault.get("code", CODES.get(status, "Redirect")),
                                      "Please send all future requests to this endpoint.",
                                      Endpoint=endpoint, Bucket=call.bucket), call, call.request_id)
        answer.headers += [("Location", fault["redirect"]), *fault.get("headers", {}).items()]
        return answer
    if "status" in fault:
        code = fault.get("code", CODES.get(fault["status"], "InternalError"))
        answer = error_answer(Refusal(fault["status"], code, "A scripted fault."), call,
                              call.request_id)
        if "body" in fault:
            answer.body = fault["body"].encode()
        answer.headers += fault.get("headers", {}).items()
        return answer
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--access-key", default="AKIAWALDENTEST000001")
    parser.add_argument("--secret-key", default="walden/test+secret/key/0000000000000001")
    parser.add_argument("--session-token", default="")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", action="append", default=[])
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--min-part-size", type=int, default=PART_SIZE_MIN)
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--no-conditional", action="store_true")
    parser.add_argument("--ignore-if-none-match", action="store_true")
    parser.add_argument("--require-if-none-match", action="store_true")
    parser.add_argument("--no-list-permission", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    server = Server(arguments)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Under a new name first: who waits for the file must not read a part of it.
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        file.write(f"{server.server_address[1]}\n")
    os.rename(arguments.port_file + ".new", arguments.port_file)
    while os.read(sys.stdin.fileno(), 4096):
        pass
    # At once: connections may be stalled for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
