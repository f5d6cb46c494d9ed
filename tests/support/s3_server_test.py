#!/usr/bin/env python3
"""Tries s3_server.py: its signatures against the vendor's published examples, its rules, and each
scripted fault. What these tests hold, the tests of walden's own client may rely on."""

import base64
import concurrent.futures
import datetime
import hashlib
import http.client
import os
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error

import s3_checksum
from own_servers import StrictS3
from s3_client import S3Client
from s3_signature import Credentials, Refusal, SignedRequest, sign, verify

EMPTY = hashlib.sha256(b"").hexdigest()
CREDENTIALS = StrictS3.credentials


class Server(StrictS3):
    """The server with the bucket "b" and a client of it."""

    bucket = "b"

    def __init__(self, *options, is_tls=False):
        super().__init__(*options, is_tls=is_tls)
        self.client = S3Client(f"http://127.0.0.1:{self.port}", CREDENTIALS)

    def stop(self):
        self.client.close()
        super().stop()


class Signatures(unittest.TestCase):
    """The examples of the vendor's page "Signature Calculations for the Authorization Header:
    Transferring Payload in a Single Chunk"."""

    EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    MOMENT = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
    CASES = [
        ("GET", "/test.txt", "", [("Range", "bytes=0-9")], b"",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", "/test%24file.text", "", [("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                                          ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
         b"Welcome to Amazon S3.",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ("GET", "/", "lifecycle", [], b"",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "/", "max-keys=2&prefix=J", [], b"",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ]

    def test_published_examples(self):
        for method, path, query, headers, body, expected in self.CASES:
            request = SignedRequest(method, path, query,
                                    [("Host", "examplebucket.s3.amazonaws.com"), *headers],
                                    hashlib.sha256(body).hexdigest())
            sign(request, self.EXAMPLE, self.MOMENT)
            self.assertTrue(request.headers[-1][1].endswith(f"Signature={expected}"), path)
            verify(request, self.EXAMPLE, self.MOMENT)

    def test_each_part_is_signed(self):
        def refused_with(change):
            request = SignedRequest("GET", "/k", "prefix=J", [("host", "h"), ("x-amz-meta-a", "1")],
                                    EMPTY)
            sign(request, self.EXAMPLE, self.MOMENT)
            change(request)
            with self.assertRaises(Refusal) as caught:
                verify(request, self.EXAMPLE, self.MOMENT)
            return caught.exception.code

        changes = {
            "method": lambda request: setattr(request, "method", "PUT"),
            "path": lambda request: setattr(request, "raw_path", "/j"),
            "query": lambda request: setattr(request, "query", "prefix=K"),
            "header": lambda request: request.headers.__setitem__(1, ("x-amz-meta-a", "2")),
            "hash": lambda request: setattr(request, "payload_hash", "0" * 64),
        }
        for name, change in changes.items():
            self.assertEqual(refused_with(change), "SignatureDoesNotMatch", name)
        self.assertEqual(refused_with(lambda request: request.headers.append(("x-amz-acl", "p"))),
                         "AccessDenied")
        self.assertEqual(refused_with(lambda request: request.headers.pop()), "AccessDenied")


class Checksums(unittest.TestCase):
    def test_check_values(self):
        # "123456789" in the catalogue of parametrised CRC algorithms: CRC-32/ISCSI, CRC-64/NVME.
        self.assertEqual(s3_checksum.crc32c()(b"123456789"), 0xE3069283)
        self.assertEqual(s3_checksum.crc64nvme()(b"123456789"), 0xAE8B14860A799888)

    def test_lanes_are_the_plain_way(self):
        data = bytes(hashlib.shake_128(b"walden").digest(40001))
        for crc in (s3_checksum.crc32c(), s3_checksum.crc64nvme()):
            for size in (16383, 16384, 16385, 40001):
                plain = crc.advance(crc.all_ones, data[:size]) ^ crc.all_ones
                self.assertEqual(crc(data[:size]), plain, size)


class WithServer(unittest.TestCase):
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.OPTIONS)
        cls.client = cls.server.client

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.server.control("POST", "reset")

    def put(self, key, body, **headers):
        return self.client.call("PUT", "b", key, body=body,
                                headers={name.replace("_", "-"): value
                                         for name, value in headers.items()})

    def get(self, key, **headers):
        return self.client.call("GET", "b", key, headers={name.replace("_", "-"): value
                                                          for name, value in headers.items()})

    def expect(self, response, status, code=""):
        self.assertEqual((response.status, response.code), (status, code), response.body)
        return response

    def faults(self, *rules):
        self.server.control("POST", "faults", list(rules))

    def log(self):
        return self.server.control("GET", "log")

    def state(self):
        return self.server.control("GET", "state")


class Authentication(WithServer):
    def prepared(self, **headers):
        return self.client.prepare("PUT", "b", "k", {}, headers, b"body")

    def test_right_and_wrong_keys(self):
        self.expect(self.put("k", b"body"), 200)
        for credentials, status, code in (
                (Credentials(CREDENTIALS.access_key, "wrong"), 403, "SignatureDoesNotMatch"),
                (Credentials("AKIAOTHER", CREDENTIALS.secret_key), 403, "InvalidAccessKeyId"),
                (Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, "eu-west-1"), 400,
                 "AuthorizationHeaderMalformed"),
                (Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, "us-east-1", "token"),
                 400, "InvalidToken")):
            request = self.prepared()
            sign(request, credentials)
            self.expect(self.client.send(request, b"body"), status, code)
        self.expect(self.client.send(self.prepared(), b"body"), 403, "AccessDenied")

    def test_body_hash(self):
        request = self.prepared()
        sign(request, CREDENTIALS)
        self.expect(self.client.send(request, b"bodY"), 400, "XAmzContentSHA256Mismatch")
        self.assertEqual(self.state()["objects"], [])
        self.expect(self.put("k", b"body", x_amz_content_sha256="UNSIGNED-PAYLOAD"), 200)
        self.expect(self.put("k", b"body", x_amz_content_sha256="hash"), 400, "InvalidArgument")

    def test_clock(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for minutes, status, code in ((14, 200, ""), (-14, 200, ""), (16, 403, "RequestTimeTooSkewed"),
                                      (-16, 403, "RequestTimeTooSkewed")):
            request = self.prepared()
            sign(request, CREDENTIALS, now + datetime.timedelta(minutes=minutes))
            answer = self.expect(self.client.send(request, b"body"), status, code)
            self.assertIn("date", answer.headers)
        self.faults({"action": {"date_skew": 3600}})
        self.expect(self.get("k"), 403, "RequestTimeTooSkewed")

    def test_unknown_headers_and_operations_are_refused(self):
        self.expect(self.put("k", b"", x_amz_website_redirect_location="/"), 501, "NotImplemented")
        self.expect(self.client.call("GET", "b", query={"acl": ""}), 501, "NotImplemented")
        self.expect(self.client.call("GET", "b", query={"list-type": "2", "marker": "x"}), 501,
                    "NotImplemented")

    def test_expect_continue_tells_wrong_keys_before_the_body(self):
        request = self.prepared(expect="100-continue")
        sign(request, Credentials(CREDENTIALS.access_key, "wrong"))
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as raw:
            lines = [f"PUT {request.raw_path} HTTP/1.1", *(f"{name}: {value}" for name, value in
                                                           request.headers), "content-length: 4"]
            raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 403"))


class Token(WithServer):
    OPTIONS = ("--session-token", "tok/en+=")

    def test_session_token(self):
        self.expect(self.get("k"), 400, "InvalidToken")
        credentials = Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, "us-east-1",
                                  "tok/en+=")
        client = S3Client(f"http://127.0.0.1:{self.server.port}", credentials)
        self.expect(client.call("PUT", "b", "k", body=b"x"), 200)
        client.close()


class Objects(WithServer):
    def test_put_get_head_delete(self):
        body = os.urandom(70000)
        crc = s3_checksum.checksum("crc32c", body)
        answer = self.put("a/b c+d", body, x_amz_meta_kind="w", x_amz_checksum_crc32c=crc)
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        self.assertEqual((answer.headers["etag"], answer.headers["x-amz-checksum-crc32c"]),
                         (etag, crc))
        answer = self.expect(self.get("a/b c+d", x_amz_checksum_mode="ENABLED"), 200)
        self.assertEqual(answer.body, body)
        self.assertEqual(answer.headers["x-amz-meta-kind"], "w")
        self.assertEqual(answer.headers["x-amz-checksum-crc32c"], crc)
        self.assertNotIn("x-amz-checksum-crc32c", self.get("a/b c+d").headers)
        head = self.client.call("HEAD", "b", "a/b c+d")
        self.assertEqual((head.status, head.headers["content-length"], head.body), (200, "70000", b""))
        for _ in range(2):
            self.expect(self.client.call("DELETE", "b", "a/b c+d"), 204)
        self.expect(self.get("a/b c+d"), 404, "NoSuchKey")
        self.assertEqual(self.client.call("HEAD", "b", "a/b c+d").body, b"")
        self.expect(self.client.call("GET", "other", "k"), 404, "NoSuchBucket")

    def test_wrong_sums_are_refused(self):
        right = s3_checksum.checksum("crc64nvme", b"body")
        self.expect(self.put("k", b"body", x_amz_checksum_crc64nvme=right), 200)
        self.expect(self.put("k", b"bodY", x_amz_checksum_crc64nvme=right), 400, "BadDigest")
        self.expect(self.put("k", b"body", x_amz_checksum_crc32c=right), 400, "InvalidRequest")
        self.expect(self.put("k", b"body", x_amz_checksum_crc64nvme=right,
                             x_amz_checksum_sha1="x"), 400, "InvalidRequest")
        self.expect(self.put("k", b"body", content_md5=s3_checksum.md5_base64(b"x")), 400, "BadDigest")
        self.expect(self.put("k", b"body", content_md5="x"), 400, "InvalidDigest")

    def test_ranges(self):
        self.put("k", b"0123456789")
        for text, status, body, place in (
                ("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=7-", 206, b"789", "bytes 7-9/10"),
                ("bytes=-3", 206, b"789", "bytes 7-9/10"), ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
                ("bytes=4-2", 200, b"0123456789", None), ("bytes", 200, b"0123456789", None)):
            answer = self.get("k", range=text)
            self.assertEqual((answer.status, answer.body, answer.headers.get("content-range")),
                             (status, body, place), text)
        self.expect(self.get("k", range="bytes=10-12"), 416, "InvalidRange")
        self.put("empty", b"")
        self.expect(self.get("empty", range="bytes=0-0"), 416, "InvalidRange")

    def test_only_one_of_many_creates(self):
        def create(index):
            client = S3Client(f"http://127.0.0.1:{self.server.port}", CREDENTIALS)
            try:
                return client.call("PUT", "b", "k", body=b"%d" % index,
                                   headers={"if-none-match": "*"}).status
            finally:
                client.close()

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(create, range(16)))
        self.assertEqual(sorted(statuses), [200] + [412] * 15)
        self.assertEqual(self.get("k").body, b"%d" % statuses.index(200))

    def test_storage_class_encryption_and_lock(self):
        self.expect(self.put("k", b"x", x_amz_storage_class="COLD"), 400, "InvalidStorageClass")
        answer = self.put("k", b"x", x_amz_storage_class="STANDARD_IA",
                          x_amz_server_side_encryption="AES256")
        self.assertEqual(answer.headers["x-amz-server-side-encryption"], "AES256")
        self.assertEqual(self.get("k").headers["x-amz-storage-class"], "STANDARD_IA")
        lock = {"x_amz_object_lock_mode": "GOVERNANCE",
                "x_amz_object_lock_retain_until_date": "2199-01-01T00:00:00Z"}
        self.expect(self.put("l", b"x", **lock), 400, "InvalidRequest")
        self.expect(self.put("l", b"x", content_md5=s3_checksum.md5_base64(b"x"), **lock), 200)
        self.expect(self.client.call("DELETE", "b", "l"), 403, "AccessDenied")

    def test_delete_batch(self):
        for key in "abc":
            self.put(key, b"")
        document = b"<Delete><Object><Key>a</Key></Object><Object><Key>x</Key></Object></Delete>"
        self.expect(self.client.call("POST", "b", query={"delete": ""}, body=document), 400,
                    "InvalidRequest")
        md5 = {"content-md5": s3_checksum.md5_base64(document)}
        answer = self.client.call("POST", "b", query={"delete": ""}, body=document, headers=md5)
        self.assertEqual((answer.status, answer.body.count(b"<Deleted>")), (200, 2))
        self.assertEqual([entry["key"] for entry in self.state()["objects"]], ["b", "c"])
        md5 = {"content-md5": s3_checksum.md5_base64(b"<Delete>")}
        self.expect(self.client.call("POST", "b", query={"delete": ""}, body=b"<Delete>",
                                     headers=md5), 400, "MalformedXML")

    def test_virtual_host_style(self):
        self.put("k", b"x")
        request = SignedRequest("GET", "/k", "", [("host", f"b.s3.localhost:{self.server.port}")],
                                EMPTY)
        sign(request, CREDENTIALS)
        self.assertEqual(self.client.send(request).body, b"x")


class Lists(WithServer):
    OPTIONS = ("--page-size", "3")

    def pages(self, **query):
        keys, groups, query = [], [], {"list-type": "2", **query}
        while True:
            text = self.client.call("GET", "b", query=query).body.decode()
            keys += [piece.partition("</Key>")[0] for piece in text.split("<Key>")[1:]]
            groups += [piece.partition("</Prefix>")[0]
                       for piece in text.split("<CommonPrefixes><Prefix>")[1:]]
            if "<IsTruncated>true" not in text:
                return keys, groups
            token = text.partition("<NextContinuationToken>")[2].partition("<")[0]
            query["continuation-token"] = token

    def test_pages_prefix_and_start(self):
        keys = sorted(f"d{index % 3}/f{index}" for index in range(11))
        for key in keys:
            self.put(key, b"")
        self.assertEqual(self.pages(), (keys, []))
        self.assertEqual(self.pages(prefix="d1/")[0], [key for key in keys if key[1] == "1"])
        self.assertEqual(self.pages(**{"start-after": "d1/f4"})[0],
                         [key for key in keys if key > "d1/f4"])
        self.assertEqual(self.pages(delimiter="/"), ([], ["d0/", "d1/", "d2/"]))
        self.assertEqual(self.pages(**{"max-keys": "1"})[0], keys)
        for query in ({"continuation-token": "x"}, {"max-keys": "-1"}, {"list-type": "3"}):
            answer = self.client.call("GET", "b", query={"list-type": "2", **query})
            self.expect(answer, 400, "InvalidArgument")

    def test_encoding_type(self):
        self.put("a b&c", b"")
        self.assertEqual(self.pages()[0], ["a b&amp;c"])
        self.assertEqual(self.pages(**{"encoding-type": "url"})[0], ["a+b%26c"])

    def test_without_the_permission_missing_keys_are_forbidden(self):
        self.server.control("POST", "options", {"list_permission": False})
        self.expect(self.client.call("GET", "b", query={"list-type": "2"}), 403, "AccessDenied")
        self.expect(self.get("missing"), 403, "AccessDenied")


class Multipart(WithServer):
    OPTIONS = ("--min-part-size", "10")

    def create(self, **headers):
        answer = self.client.call("POST", "b", "k", query={"uploads": ""},
                                  headers={name.replace("_", "-"): value
                                           for name, value in headers.items()})
        return answer.body.decode().partition("<UploadId>")[2].partition("<")[0]

    def part(self, upload, number, body, **headers):
        return self.client.call("PUT", "b", "k", body=body,
                                query={"partNumber": str(number), "uploadId": upload},
                                headers={name.replace("_", "-"): value
                                         for name, value in headers.items()})

    def complete(self, upload, parts, **headers):
        """`parts`: (number, body, more XML); the ETag is that of the body."""
        content = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>"
                          f"&quot;{hashlib.md5(body).hexdigest()}&quot;</ETag>{more}</Part>"
                          for number, body, more in parts)
        body = f"<CompleteMultipartUpload>{content}</CompleteMultipartUpload>".encode()
        return self.client.call("POST", "b", "k", query={"uploadId": upload}, body=body,
                                headers={name.replace("_", "-"): value
                                         for name, value in headers.items()})

    def test_whole_way(self):
        upload = self.create()
        first, second = b"1" * 10, b"2"
        self.expect(self.part(upload, 2, second), 200)
        self.expect(self.part(upload, 1, first), 200)
        self.assertEqual(self.get("k").status, 404)
        self.assertEqual(len(self.state()["uploads"][0]["parts"]), 2)
        answer = self.complete(upload, [(1, first, ""), (2, second, "")])
        digests = hashlib.md5(first).digest() + hashlib.md5(second).digest()
        self.assertIn(f"{hashlib.md5(digests).hexdigest()}-2".encode(), answer.body)
        self.assertEqual(self.get("k").body, first + second)
        self.assertEqual(self.state()["uploads"], [])
        self.expect(self.complete(upload, [(1, first, "")]), 404, "NoSuchUpload")

    def test_rules(self):
        upload = self.create()
        self.expect(self.complete(upload, [(1, b"", "")]), 400, "InvalidPart")
        self.expect(self.complete(upload, []), 400, "MalformedXML")
        for number in ("0", "10001", "x"):
            self.expect(self.part(upload, number, b""), 400, "InvalidArgument")
        self.part(upload, 1, b"short")
        self.part(upload, 2, b"end")
        self.expect(self.complete(upload, [(1, b"short", ""), (2, b"end", "")]), 400,
                    "EntityTooSmall")
        self.expect(self.complete(upload, [(2, b"end", ""), (1, b"short", "")]), 400,
                    "InvalidPartOrder")
        self.expect(self.complete(upload, [(1, b"other", "")]), 400, "InvalidPart")
        self.expect(self.client.call("DELETE", "b", "k", query={"uploadId": upload}), 204)
        for answer in (self.complete(upload, [(1, b"short", "")]), self.part(upload, 1, b""),
                       self.client.call("DELETE", "b", "k", query={"uploadId": upload})):
            self.expect(answer, 404, "NoSuchUpload")

    def test_complete_creates_only(self):
        self.put("k", b"old")
        upload = self.create()
        self.part(upload, 1, b"new")
        self.expect(self.complete(upload, [(1, b"new", "")], if_none_match="*"), 412,
                    "PreconditionFailed")
        self.assertEqual(self.get("k").body, b"old")

    def test_checksums(self):
        for name, kind in (("crc32c", "COMPOSITE"), ("crc64nvme", "FULL_OBJECT"),
                           ("crc32c", "FULL_OBJECT"), ("sha256", "COMPOSITE")):
            upload = self.create(x_amz_checksum_algorithm=name.upper(), x_amz_checksum_type=kind)
            bodies = [b"1" * 10, b"2"]
            sums = [s3_checksum.checksum(name, body) for body in bodies]
            for number, body in enumerate(bodies, 1):
                self.expect(self.part(upload, number, body,
                                      **{f"x_amz_checksum_{name}": sums[number - 1]}), 200)
            listed = [(number, body, f"<Checksum{name.upper()}>{sums[number - 1]}"
                       f"</Checksum{name.upper()}>") for number, body in enumerate(bodies, 1)]
            if kind == "COMPOSITE":
                bare = [(number, body, "") for number, body, _ in listed]
                self.expect(self.complete(upload, bare), 400, "InvalidRequest")
                parts = b"".join(base64.b64decode(value) for value in sums)
                whole = s3_checksum.checksum(name, parts) + "-2"
            else:
                whole = s3_checksum.checksum(name, b"".join(bodies))
                self.expect(self.complete(upload, listed,
                                          **{f"x_amz_checksum_{name}": sums[0]}), 400, "BadDigest")
            self.expect(self.complete(upload, listed), 200)
            answer = self.get("k", x_amz_checksum_mode="ENABLED")
            self.assertEqual(answer.headers[f"x-amz-checksum-{name}"], whole)

    def test_lists(self):
        uploads = sorted(self.create() for _ in range(5))
        seen, marker = [], {}
        while True:
            text = self.client.call("GET", "b", query={"uploads": "", "max-uploads": "2",
                                                       **marker}).body.decode()
            seen += [piece.partition("<")[0] for piece in text.split("<UploadId>")[1:]]
            if "<IsTruncated>true" not in text:
                break
            marker = {"key-marker": "k", "upload-id-marker": seen[-1]}
        self.assertEqual(seen, uploads)
        for number in (3, 1, 2):
            self.part(uploads[0], number, b"x")
        text = self.client.call("GET", "b", "k", query={"uploadId": uploads[0], "max-parts": "2",
                                                        "part-number-marker": "0"}).body.decode()
        self.assertIn("<NextPartNumberMarker>2<", text)
        self.assertEqual(text.count("<Part>"), 2)


class Faults(WithServer):
    def test_rules_match_skip_and_end(self):
        self.faults({"match": {"operation": "put_object", "key_prefix": "a"}, "skip": 1, "times": 2,
                     "action": {"status": 503, "code": "SlowDown", "headers": {"Retry-After": "1"}}})
        self.assertEqual([self.put("a", b"").status for _ in range(4)], [200, 503, 503, 200])
        self.assertEqual(self.put("b", b"").status, 200)
        log = self.log()
        self.assertEqual([entry["status"] for entry in log], [200, 503, 503, 200, 200])
        self.assertEqual({entry["connection"] for entry in log}, {log[0]["connection"]})

    def test_unknown_rules_are_refused(self):
        for rule in ({"action": {"stauts": 1}}, {"match": {"operation": "put"},
                                                 "action": {"status": 500}}, {}):
            with self.assertRaises(urllib.error.HTTPError):
                self.faults(rule)

    def test_answers(self):
        cases = (({"status": 500}, 500, "InternalError"), ({"status": 429}, 429, "TooManyRequests"),
                 ({"ok_with_error": "InternalError"}, 200, "InternalError"),
                 ({"redirect": "http://other:1/b/k", "status": 307}, 307, "TemporaryRedirect"),
                 ({"redirect": "http://other:1/b/k", "status": 301}, 301, "PermanentRedirect"))
        for action, status, code in cases:
            self.faults({"action": action})
            answer = self.expect(self.put("k", b"x"), status, code)
            self.assertEqual("location" in answer.headers, "redirect" in action)
            self.assertEqual(self.state()["objects"], [])

    def test_work_done_and_answer_lost(self):
        for action in ({"after": True, "status": 500}, {"reset": "after"}):
            self.server.control("POST", "reset")
            self.faults({"action": action})
            if "reset" in action:
                with self.assertRaises((OSError, http.client.HTTPException)):
                    self.put("k", b"x")
            else:
                self.expect(self.put("k", b"x"), 500, "InternalError")
            self.assertEqual(len(self.state()["objects"]), 1)

    def test_broken_connections(self):
        self.put("k", b"x" * 100000)
        for action in ({"reset": "before"}, {"reset": "body"}, {"truncate": 1000},
                       {"truncate": 0}):
            self.faults({"action": action})
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.get("k")
        for place in ("before", "body"):
            self.faults({"action": {"reset": place}})
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.put("new", b"x" * 100000)
        self.assertEqual([entry["key"] for entry in self.state()["objects"]], ["k"])

    def test_stalls_and_slowness(self):
        self.put("k", b"x" * 1000)
        begin = time.monotonic()
        self.faults({"action": {"stall": 0.3}}, {"action": {"slow": 4000}})
        self.expect(self.get("k"), 200)
        self.expect(self.get("k"), 200)
        self.assertGreater(time.monotonic() - begin, 0.5)
        self.faults({"action": {"stall": -1}}, {"action": {"stall": -1, "truncate": 10}})
        for _ in range(2):
            client = S3Client(f"http://127.0.0.1:{self.server.port}", CREDENTIALS, timeout=0.3)
            with self.assertRaises(TimeoutError):
                client.call("GET", "b", "k")
            client.close()

    def test_wrong_content(self):
        body = b"x" * 1000
        self.put("k", body, x_amz_checksum_sha256=s3_checksum.checksum("sha256", body))
        for action in ({"flip": 500}, {"flip": -1}):
            self.faults({"action": action})
            answer = self.get("k")
            self.assertEqual(sum(a != b for a, b in zip(answer.body, body)), 1)
        self.faults({"action": {"wrong_checksum": True}})
        answer = self.get("k", x_amz_checksum_mode="ENABLED")
        self.assertNotEqual(answer.headers["x-amz-checksum-sha256"],
                            s3_checksum.checksum("sha256", body))
        self.faults({"action": {"store_truncated": 3}})
        self.expect(self.put("k", body), 200)
        self.assertEqual(self.get("k").body, b"xxx")

    def test_hugeness(self):
        self.faults({"action": {"huge_headers": 50000}}, {"action": {"huge_xml": 3 << 20}})
        self.put("k", b"")
        self.assertEqual(len(self.client.call("GET", "b", query={"list-type": "2"}).body), 3 << 20)


class Servers(unittest.TestCase):
    def test_stores_without_conditional_creates(self):
        for option, statuses in (("--no-conditional", [501, 501]),
                                 ("--ignore-if-none-match", [200, 200]),
                                 ("--require-if-none-match", [200, 412])):
            server = Server(option)
            try:
                answers = [server.client.call("PUT", "b", "k", body=body,
                                              headers={"if-none-match": "*"}).status
                           for body in (b"1", b"2")]
                bare = server.client.call("PUT", "b", "k", body=b"3").status
            finally:
                server.stop()
            self.assertEqual(answers, statuses, option)
            self.assertEqual(bare, 403 if option == "--require-if-none-match" else 200)

    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="walden-tls-") as directory:
            cert, key = f"{directory}/cert.pem", f"{directory}/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                            "/CN=walden test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            key, "-out", cert], check=True, capture_output=True)
            server = Server("--tls", cert, key)
            try:
                client = S3Client(f"https://127.0.0.1:{server.port}", CREDENTIALS, cert)
                self.assertEqual(client.call("PUT", "b", "k", body=b"x" * 99999).status, 200)
                self.assertEqual(len(client.call("GET", "b", "k").body), 99999)
                with self.assertRaises((OSError, http.client.HTTPException)):
                    server.client.call("GET", "b", "k")
                server.control("POST", "faults", [{"action": {"reset": "after"}}])
                with self.assertRaises((OSError, http.client.HTTPException)):
                    client.call("DELETE", "b", "k")
                client.close()
                self.assertEqual(server.control("GET", "state")["objects"], [])
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main()
