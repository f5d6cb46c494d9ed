"""What s3_server.py does for each operation of S3: a Call in, an Answer or a Refusal out."""

import base64
import dataclasses
import datetime
import hashlib
import re
import urllib.parse
import xml.etree.ElementTree

from s3_checksum import DIGESTS, checksum
from s3_objects import (CHECKSUM_TYPES, PART_NUMBER_MAX, Part, PartOfCompletion, StoredObject, Upload,
                        byte_order)
from s3_request import (CHECKSUM_PREFIX, NAMESPACE, Answer, check_checksum, check_md5,
                        check_payload_hash, claimed_checksum, document, element, parse_attributes,
                        text_element)
from s3_signature import Refusal

KEYS_MAX = 1000
MALFORMED = ("MalformedXML", "The XML you provided was not well-formed or did not validate against "
             "our published schema")


@dataclasses.dataclass
class Options:
    """How the server differs from AWS. The control interface may change them at any time."""
    conditional: bool = True            # false: 501 for If-None-Match, as OpenStack Swift
    ignore_if_none_match: bool = False  # as many stores: the header has no effect
    require_if_none_match: bool = False  # as a bucket policy that forbids overwriting
    list_permission: bool = True        # false: no LIST, and 403 instead of 404 for a missing key
    page_size: int = KEYS_MAX
    upload_age: int = 0  # seconds: how much older than they are unfinished uploads are listed


@dataclasses.dataclass
class Completion:
    """The demands of a CompleteMultipartUpload."""
    parts: list
    if_absent: bool
    claimed: tuple  # (name, value) of the checksum of the whole, or None
    checksum_type: str
    size: str  # of the whole, as text, or None

    def check(self, upload, stored):
        if self.size is not None and self.size != str(len(stored.body)):
            raise Refusal(400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header does "
                          "not match what was computed.")
        if self.checksum_type and self.checksum_type != upload.checksum_type:
            raise Refusal(400, "InvalidRequest", "The upload was created using the "
                          f"{upload.checksum_type} checksum mode.")
        if self.claimed and stored.checksums.get(self.claimed[0], "") != self.claimed[1]:
            raise Refusal(400, "BadDigest", f"The {self.claimed[0].upper()} you specified did not "
                          "match the calculated checksum.")


def timestamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_date(moment):
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def quoted(etag):
    return f'"{etag}"'


def parse_document(call, root):
    """The root element, whose name must be `root`, in S3's namespace or none."""
    try:
        parsed = xml.etree.ElementTree.fromstring(call.body)
    except (xml.etree.ElementTree.ParseError, ValueError) as error:
        raise Refusal(400, *MALFORMED) from error
    for node in parsed.iter():
        node.tag = node.tag.removeprefix("{" + NAMESPACE + "}")
    if parsed.tag != root:
        raise Refusal(400, *MALFORMED)
    return parsed


class Operations:
    def __init__(self, store, options, region):
        self.store = store
        self.options = options
        self.region = region

    def run(self, call):
        """The answer to a request whose signature is right."""
        check_payload_hash(call)
        call.check_names()
        if call.operation != "create_bucket":
            self.store.check_bucket(call.bucket)
        return getattr(self, call.operation)(call)

    # Buckets

    def head_bucket(self, _call):
        return Answer(200, [("x-amz-bucket-region", self.region)])

    def create_bucket(self, call):
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", call.bucket):
            raise Refusal(400, "InvalidBucketName", "The specified bucket is not valid.")
        self.store.create_bucket(call.bucket)
        return Answer(200, [("Location", f"/{call.bucket}")])

    def get_location(self, _call):
        return document("LocationConstraint", "" if self.region == "us-east-1" else self.region)

    def get_versioning(self, _call):
        return document("VersioningConfiguration", "")

    # Objects

    def must_be_absent(self, call):
        """Whether the object may only be created, not replaced."""
        value = call.header("if-none-match")
        if value is None and self.options.require_if_none_match:
            raise Refusal(403, "AccessDenied", "Access Denied: the bucket's policy asks for "
                          "If-None-Match")
        if self.options.ignore_if_none_match or value is None:
            return False
        if not self.options.conditional or value != "*":
            raise Refusal(501, "NotImplemented", "A header you provided implies functionality "
                          "that is not implemented", Header="If-None-Match",
                          additionalMessage="If-None-Match")
        return True

    def put_object(self, call):
        if_absent = self.must_be_absent(call)
        has_md5 = check_md5(call)
        checksums = check_checksum(call)
        attributes = parse_attributes(call, has_md5 or bool(checksums))
        body = call.body
        if "store_truncated" in call.fault:
            body = body[:call.fault["store_truncated"]]
            checksums = {name: checksum(name, body) for name in checksums}
        stored = StoredObject(body, hashlib.md5(body).hexdigest(), attributes, checksums)
        self.store.put(call.bucket, call.key, stored, if_absent)
        return Answer(200, self.creation_headers(stored))

    @staticmethod
    def creation_headers(stored):
        headers = [("ETag", quoted(stored.etag))]
        headers += [(CHECKSUM_PREFIX + name, value) for name, value in stored.checksums.items()]
        if stored.checksums:
            headers.append(("x-amz-checksum-type", stored.checksum_type))
        return headers + list(stored.attributes.encryption.items())

    def existing(self, call):
        stored = self.store.get(call.bucket, call.key)
        if stored is None and not self.options.list_permission:
            raise Refusal(403, "AccessDenied", "Access Denied")
        if stored is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return stored

    def get_object(self, call):
        for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"):
            if call.header(name) is not None:
                raise Refusal(501, "NotImplemented", "A header you provided implies functionality "
                              "that is not implemented", Header=name)
        stored = self.existing(call)
        attributes = stored.attributes
        headers = [("ETag", quoted(stored.etag)), ("Last-Modified", http_date(stored.modified)),
                   ("Accept-Ranges", "bytes"), ("Content-Type", attributes.content_type)]
        headers += [(f"x-amz-meta-{name}", value) for name, value in attributes.metadata.items()]
        headers += list(attributes.encryption.items())
        if attributes.storage_class != "STANDARD":
            headers.append(("x-amz-storage-class", attributes.storage_class))
        if attributes.lock_mode:
            headers += [("x-amz-object-lock-mode", attributes.lock_mode),
                        ("x-amz-object-lock-retain-until-date", attributes.retain_until)]
        wanted = self.parse_range(call.header("range"), len(stored.body))
        body = stored.body
        is_part = wanted is not None
        if is_part:
            first, size = wanted
            headers.append(("Content-Range", f"bytes {first}-{first + size - 1}/{len(body)}"))
            body = body[first:first + size]
        # Of a part of the object the stored checksum says nothing, so S3 leaves it out.
        if call.header("x-amz-checksum-mode") == "ENABLED" and stored.checksums and not is_part:
            headers += [(CHECKSUM_PREFIX + name, value) for name, value in stored.checksums.items()]
            headers.append(("x-amz-checksum-type", stored.checksum_type))
        return Answer(206 if is_part else 200, headers, body)

    head_object = get_object

    @staticmethod
    def parse_range(text, total):
        """(first, size) of what is wanted; None without a range and for one that S3 ignores."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", text or "")
        if not match or match[0] == "bytes=-":
            return None
        if not match[1]:
            size = min(int(match[2]), total)
            first = total - size
        else:
            first = int(match[1])
            last = min(int(match[2]) if match[2] else total - 1, total - 1)
            if match[2] and int(match[2]) < first:
                return None
            size = last - first + 1
        if size <= 0:
            raise Refusal(416, "InvalidRange", "The requested range is not satisfiable",
                          RangeRequested=text, ActualObjectSize=str(total))
        return first, size

    def delete(self, call):
        self.store.delete(call.bucket, call.key)
        return Answer(204)

    def delete_batch(self, call):
        has_md5 = check_md5(call)
        if not check_checksum(call) and not has_md5:
            raise Refusal(400, "InvalidRequest",
                          "Missing required header for this request: Content-MD5")
        root = parse_document(call, "Delete")
        keys = [node.findtext("Key") for node in root.findall("Object")]
        if not keys or len(keys) > KEYS_MAX or not all(keys):
            raise Refusal(400, *MALFORMED)
        is_quiet = root.findtext("Quiet", "false").lower() == "true"
        content = ""
        for key in keys:
            try:
                self.store.delete(call.bucket, key)
                if not is_quiet:
                    content += element("Deleted", text_element("Key", key))
            except Refusal as refusal:
                content += element("Error", text_element("Key", key) + text_element(
                    "Code", refusal.code) + text_element("Message", refusal.message))
        return document("DeleteResult", content)

    # Lists

    def check_list_permission(self):
        if not self.options.list_permission:
            raise Refusal(403, "AccessDenied", "User is not authorized to perform: s3:ListBucket")

    @staticmethod
    def key_encoder(call):
        kind = call.query.get("encoding-type")
        if kind not in (None, "url"):
            raise Refusal(400, "InvalidArgument", "Invalid Encoding Method specified in Request",
                          ArgumentName="encoding-type", ArgumentValue=kind)
        if kind is None:
            return lambda text: text
        return lambda text: urllib.parse.quote(text.encode("utf-8", "surrogateescape"),
                                               safe="-_.*/").replace("%20", "+")

    @staticmethod
    def list_start(call):
        token = call.query.get("continuation-token")
        if token is None:
            return call.query.get("start-after", "")
        try:
            start = base64.b64decode(token, validate=True).decode()
            # The first character is there to give tokens that need percent-encoding.
            if not start.startswith("\u07ff"):
                raise ValueError(start)
        except ValueError as error:
            raise Refusal(400, "InvalidArgument", "The continuation token provided is incorrect",
                          ArgumentName="continuation-token") from error
        return start[1:]

    def list(self, call):
        self.check_list_permission()
        if call.query["list-type"] != "2":
            raise Refusal(400, "InvalidArgument", "Invalid List Type specified in Request")
        encode = self.key_encoder(call)
        prefix = call.query.get("prefix", "")
        delimiter = call.query.get("delimiter", "")
        limit = min(call.number("max-keys", KEYS_MAX, 0, 999_999_999), self.options.page_size)
        start = self.list_start(call)
        contents, groups, last, is_truncated = [], [], "", False
        for key, stored in self.store.list(call.bucket, prefix, start):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            group = key[:cut + len(delimiter)] if cut >= 0 else None
            if group is not None and (group in groups or group == start):
                continue
            if len(contents) + len(groups) >= limit:
                is_truncated = limit > 0
                break
            last = key if group is None else group + "\U0010ffff"
            if group is None:
                contents.append(self.list_entry(encode(key), stored))
            else:
                groups.append(group)
        head = text_element("Name", call.bucket) + text_element("Prefix", encode(prefix))
        for name in ("start-after", "continuation-token", "delimiter", "encoding-type"):
            if name in call.query:
                title = "".join(part.capitalize() for part in name.split("-"))
                text = call.query[name]
                head += text_element(title, text if "oken" in title else encode(text))
        head += text_element("KeyCount", len(contents) + len(groups))
        head += text_element("MaxKeys", limit)
        head += text_element("IsTruncated", str(is_truncated).lower())
        if is_truncated:
            token = base64.b64encode(("\u07ff" + last).encode("utf-8", "surrogateescape")).decode()
            head += text_element("NextContinuationToken", token)
        tail = "".join(element("CommonPrefixes", text_element("Prefix", encode(group)))
                       for group in groups)
        return document("ListBucketResult", head + "".join(contents) + tail)

    @staticmethod
    def list_entry(key, stored):
        content = text_element("Key", key) + text_element("LastModified", timestamp(stored.modified))
        content += text_element("ETag", quoted(stored.etag))
        for name in stored.checksums:
            content += text_element("ChecksumAlgorithm", name.upper())
            content += text_element("ChecksumType", stored.checksum_type)
        content += text_element("Size", len(stored.body))
        return element("Contents", content + text_element(
            "StorageClass", stored.attributes.storage_class))

    def list_uploads(self, call):
        self.check_list_permission()
        encode = self.key_encoder(call)
        limit = min(call.number("max-uploads", KEYS_MAX, 1, KEYS_MAX), self.options.page_size)
        marker = (call.query.get("key-marker", ""), call.query.get("upload-id-marker", ""))
        found = []
        for key, upload_id, upload in self.store.list_uploads(call.bucket,
                                                              call.query.get("prefix", "")):
            is_behind = byte_order(key) > byte_order(marker[0])
            if marker[1]:
                is_behind = is_behind or (key == marker[0] and upload_id > marker[1])
            if is_behind or not marker[0]:
                found.append((key, upload_id, upload))
        page = found[:limit]
        content = text_element("Bucket", call.bucket) + text_element("KeyMarker", encode(marker[0]))
        content += text_element("UploadIdMarker", marker[1]) + text_element("MaxUploads", limit)
        content += text_element("IsTruncated", str(len(found) > limit).lower())
        if len(found) > limit:
            content += text_element("NextKeyMarker", encode(page[-1][0]))
            content += text_element("NextUploadIdMarker", page[-1][1])
        for key, upload_id, upload in page:
            content += element("Upload", text_element("Key", encode(key)) + text_element(
                "UploadId", upload_id) + text_element("Initiated", timestamp(
                    upload.initiated - datetime.timedelta(seconds=self.options.upload_age))))
        return document("ListMultipartUploadsResult", content)

    # Multipart uploads

    def create_upload(self, call):
        algorithm = (call.header("x-amz-checksum-algorithm") or "").lower()
        if algorithm and algorithm not in DIGESTS:
            raise Refusal(400, "InvalidRequest", "Checksum algorithm provided is unsupported.")
        kinds = CHECKSUM_TYPES.get(algorithm, ("",))
        kind = call.header("x-amz-checksum-type") or kinds[0]
        if kind not in kinds:
            raise Refusal(400, "InvalidRequest", f"The {kind} checksum type cannot be used with the "
                          f"{algorithm or 'missing'} checksum algorithm.")
        attributes = parse_attributes(call, True)
        upload = Upload(call.bucket, call.key, attributes, algorithm, kind)
        upload_id = self.store.create_upload(upload)
        answer = document("InitiateMultipartUploadResult", text_element("Bucket", call.bucket)
                          + text_element("Key", call.key) + text_element("UploadId", upload_id))
        if algorithm:
            answer.headers += [("x-amz-checksum-algorithm", algorithm.upper()),
                               ("x-amz-checksum-type", kind)]
        answer.headers += list(attributes.encryption.items())
        return answer

    def upload_part(self, call):
        number = call.number("partNumber", "", 1, PART_NUMBER_MAX)
        upload = self.store.find_upload(call.bucket, call.key, call.query["uploadId"])
        check_md5(call)
        checksums = check_checksum(call)
        if upload.algorithm:
            if checksums and upload.algorithm not in checksums:
                raise Refusal(400, "InvalidRequest", "Checksum Type mismatch occurred, expected "
                              f"checksum Type: {upload.algorithm}, actual checksum Type: "
                              f"{', '.join(checksums)}")
            checksums = {upload.algorithm: checksum(upload.algorithm, call.body)}
        body = call.body
        if "store_truncated" in call.fault:
            body = body[:call.fault["store_truncated"]]
            checksums = {name: checksum(name, body) for name in checksums}
        part = Part(body, hashlib.md5(body).hexdigest(), checksums,
                    datetime.datetime.now(datetime.timezone.utc))
        self.store.put_part(call.bucket, call.key, call.query["uploadId"], number, part)
        headers = [("ETag", quoted(part.etag))]
        return Answer(200, headers + [(CHECKSUM_PREFIX + name, value)
                                      for name, value in checksums.items()])

    def complete_upload(self, call):
        if_absent = self.must_be_absent(call)
        root = parse_document(call, "CompleteMultipartUpload")
        parts = []
        for node in root.findall("Part"):
            number = node.findtext("PartNumber", "")
            etag = node.findtext("ETag")
            if not re.fullmatch(r"\d{1,5}", number) or etag is None:
                raise Refusal(400, *MALFORMED)
            checksums = {name: node.findtext(f"Checksum{name.upper()}") for name in DIGESTS
                         if node.find(f"Checksum{name.upper()}") is not None}
            parts.append(PartOfCompletion(int(number), etag.strip('"'), checksums))
        completion = Completion(parts, if_absent, claimed_checksum(call),
                                call.header("x-amz-checksum-type"),
                                call.header("x-amz-mp-object-size"))
        stored = self.store.complete(call.bucket, call.key, call.query["uploadId"], completion)
        content = text_element("Location", f"http://{call.header('host')}{call.raw_path}")
        content += text_element("Bucket", call.bucket) + text_element("Key", call.key)
        content += text_element("ETag", quoted(stored.etag))
        for name, value in stored.checksums.items():
            content += text_element(f"Checksum{name.upper()}", value)
            content += text_element("ChecksumType", stored.checksum_type)
        answer = document("CompleteMultipartUploadResult", content)
        # While it works, S3 sends white space behind the declaration to keep the connection.
        answer.body = answer.body.replace(b"?>\n", b"?>\n\n   \n", 1)
        answer.headers += list(stored.attributes.encryption.items())
        return answer

    def abort_upload(self, call):
        self.store.abort(call.bucket, call.key, call.query["uploadId"])
        return Answer(204)

    def list_parts(self, call):
        limit = min(call.number("max-parts", KEYS_MAX, 1, KEYS_MAX), self.options.page_size)
        marker = call.number("part-number-marker", 0, 0, PART_NUMBER_MAX)
        upload_id = call.query["uploadId"]
        parts = [(number, part) for number, part in
                 self.store.parts_of(call.bucket, call.key, upload_id) if number > marker]
        content = text_element("Bucket", call.bucket) + text_element("Key", call.key)
        content += text_element("UploadId", upload_id) + text_element("PartNumberMarker", marker)
        content += text_element("MaxParts", limit)
        content += text_element("IsTruncated", str(len(parts) > limit).lower())
        if len(parts) > limit:
            content += text_element("NextPartNumberMarker", parts[limit - 1][0])
        for number, part in parts[:limit]:
            inner = text_element("PartNumber", number) + text_element("Size", len(part.body))
            inner += text_element("LastModified", timestamp(part.modified))
            inner += text_element("ETag", quoted(part.etag))
            for name, value in part.checksums.items():
                inner += text_element(f"Checksum{name.upper()}", value)
            content += element("Part", inner)
        return document("ListPartsResult", content)
