"""One request to s3_server.py as S3 understands it, the answer to it, and the checks that are the
same for every operation: headers that are known, checksums that are right."""

import dataclasses
import datetime
import hashlib
import re
import xml.sax.saxutils

from s3_checksum import DIGESTS, checksum, decode_digest, md5_base64
from s3_objects import Attributes, parse_iso8601
from s3_signature import UNSIGNED_PAYLOAD, Refusal, decode, parse_query

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
CHECKSUM_PREFIX = "x-amz-checksum-"
STORAGE_CLASSES = ("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA",
                   "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", "EXPRESS_ONEZONE")
# Any other x-amz- header is refused: S3 would do something that this server does not.
KNOWN_HEADERS = re.compile(
    r"x-amz-(date|content-sha256|security-token|storage-class|meta-[a-z0-9._-]+"
    r"|server-side-encryption(-aws-kms-key-id|-bucket-key-enabled|-context)?"
    r"|object-lock-(mode|retain-until-date|legal-hold)|sdk-checksum-algorithm"
    r"|checksum-(crc32|crc32c|crc64nvme|sha1|sha256|mode|algorithm|type)"
    r"|mp-object-size|expected-bucket-owner|optional-object-attributes|user-agent)")
HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.(s3\.localhost|s3[.-][a-z0-9-]+\.amazonaws\.com"
                  r"|s3\.amazonaws\.com)")
# operation by (method, whether there is a key, the deciding query parameter)
OPERATIONS = {
    ("PUT", True, ""): "put_object", ("GET", True, ""): "get_object",
    ("HEAD", True, ""): "head_object", ("DELETE", True, ""): "delete",
    ("POST", True, "uploads"): "create_upload", ("PUT", True, "uploadId"): "upload_part",
    ("POST", True, "uploadId"): "complete_upload", ("DELETE", True, "uploadId"): "abort_upload",
    ("GET", True, "uploadId"): "list_parts", ("GET", False, "list-type"): "list",
    ("GET", False, "uploads"): "list_uploads", ("POST", False, "delete"): "delete_batch",
    ("HEAD", False, ""): "head_bucket", ("PUT", False, ""): "create_bucket",
    ("GET", False, "location"): "get_location", ("GET", False, "versioning"): "get_versioning",
}
PARAMETERS = {
    "list": {"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys",
             "encoding-type", "fetch-owner"},
    "list_uploads": {"uploads", "prefix", "key-marker", "upload-id-marker", "max-uploads",
                     "encoding-type"},
    "list_parts": {"uploadId", "part-number-marker", "max-parts", "encoding-type"},
    "upload_part": {"uploadId", "partNumber"},
}


@dataclasses.dataclass
class Call:
    """A request. `operation` is "" for what this server does not do."""
    method: str
    target: str  # as sent
    headers: list  # of (name, value)
    connection: int
    body: bytes = b""
    bucket: str = ""
    key: str = ""
    operation: str = ""
    request_id: str = ""
    moment: datetime.datetime = None  # of its arrival, by the clock of the server
    fault: dict = dataclasses.field(default_factory=dict)  # the action of the script

    def __post_init__(self):
        self.raw_path, _, self.raw_query = self.target.partition("?")
        self.query = dict(parse_query(self.raw_query))
        path = decode(self.raw_path)
        host = (self.header("host") or "").rpartition(":")[0] or self.header("host") or ""
        virtual = HOST.fullmatch(host)
        if virtual:
            self.bucket, self.key = virtual["bucket"], path[1:]
        else:
            self.bucket, _, self.key = path[1:].partition("/")
        deciding = [name for name in ("uploads", "uploadId", "delete", "list-type", "location",
                                      "versioning") if name in self.query]
        self.operation = OPERATIONS.get(
            (self.method, bool(self.key), "+".join(deciding)), "") if self.bucket else ""

    def header(self, name):
        """The value of the last header of that lower-case name, or None."""
        for key, value in reversed(self.headers):
            if key.lower() == name:
                return value
        return None

    def check_names(self):
        """Refuses what S3 may know and this server does not, and keys that are too long."""
        for name, _ in self.headers:
            if name.lower().startswith("x-amz-") and not KNOWN_HEADERS.fullmatch(name.lower()):
                raise Refusal(501, "NotImplemented", "A header you provided implies functionality "
                              "that is not implemented", Header=name)
        deciding = {"uploads", "uploadId", "delete", "location", "versioning"}
        unknown = set(self.query) - PARAMETERS.get(self.operation, deciding) - {"x-id"}
        if not self.operation or unknown:
            raise Refusal(501, "NotImplemented", "This server does not do "
                          f"{self.method} with {', '.join(sorted(self.query)) or 'no parameters'}")
        if len(self.key.encode("utf-8", "surrogateescape")) > 1024:
            raise Refusal(400, "KeyTooLongError", "Your key is too long", MaxSizeAllowed="1024")

    def number(self, name, default, least, most):
        """The number in a query parameter; refused outside of its range."""
        text = self.query.get(name, str(default))
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise Refusal(400, "InvalidArgument",
                          f"{name} must be an integer between {least} and {most}, inclusive",
                          ArgumentName=name, ArgumentValue=text)
        return int(text)


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    # Documents go out in chunks, as the real server sends them; contents with their length.
    is_document: bool = False


def element(name, content):
    return f"<{name}>{content}</{name}>"


def text_element(name, text):
    return element(name, xml.sax.saxutils.escape(str(text)))


def document(root, content):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{content}</{root}>'
    return Answer(200, [("Content-Type", "application/xml")],
                  body.encode("utf-8", "surrogateescape"), True)


def error_answer(refusal, call, request_id):
    """The document AWS writes for an error; HEAD gets none."""
    content = text_element("Code", refusal.code) + text_element("Message", refusal.message)
    for name, text in refusal.elements.items():
        content += text_element(name, text)
    if refusal.code == "NoSuchKey":
        content += text_element("Key", call.key)
    content += text_element("Resource", call.raw_path) + text_element("RequestId", request_id)
    content += text_element("HostId", "walden-test-server")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{content}</Error>'
    answer = Answer(refusal.status, [("Content-Type", "application/xml")],
                    body.encode("utf-8", "surrogateescape"), True)
    if refusal.code == "AuthorizationHeaderMalformed" and "Region" in refusal.elements:
        answer.headers.append(("x-amz-bucket-region", refusal.elements["Region"]))
    return answer


def check_payload_hash(call):
    claimed = call.header("x-amz-content-sha256")
    if claimed == UNSIGNED_PAYLOAD:
        return
    if not re.fullmatch("[0-9a-f]{64}", claimed):
        status, code = (501, "NotImplemented") if claimed.startswith("STREAMING-") else (
            400, "InvalidArgument")
        raise Refusal(status, code, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, or a valid "
                      "sha256 value.", ArgumentName="x-amz-content-sha256", ArgumentValue=claimed)
    computed = hashlib.sha256(call.body).hexdigest()
    if computed != claimed:
        raise Refusal(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header "
                      "does not match what was computed.", ClientComputedContentSHA256=claimed,
                      S3ComputedContentSHA256=computed)


def check_md5(call):
    """Whether there was a Content-MD5, which was right."""
    claimed = call.header("content-md5")
    if claimed is None:
        return False
    if decode_digest(claimed, 16) is None:
        raise Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    if claimed != md5_base64(call.body):
        raise Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we "
                      "received.", ExpectedDigest=claimed, CalculatedDigest=md5_base64(call.body))
    return True


def claimed_checksum(call):
    """(name, value) of the one x-amz-checksum-NAME header, or None. The value is a digest's."""
    claimed = [(name.lower()[len(CHECKSUM_PREFIX):], value) for name, value in call.headers
               if name.lower().startswith(CHECKSUM_PREFIX)]
    claimed = [(name, value) for name, value in claimed if name in DIGESTS]
    if len(claimed) > 1:
        raise Refusal(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple "
                      "checksum Types are not allowed.")
    announced = (call.header("x-amz-sdk-checksum-algorithm") or "").lower()
    if announced and (not claimed or claimed[0][0] != announced):
        raise Refusal(400, "InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no "
                      "corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
    if claimed and decode_digest(claimed[0][1], DIGESTS[claimed[0][0]][1]) is None:
        raise Refusal(400, "InvalidRequest",
                      f"Value for {CHECKSUM_PREFIX}{claimed[0][0]} header is invalid.")
    return claimed[0] if claimed else None


def check_checksum(call):
    """{name: value} of the checksum that came with the body, which was right; {} without one."""
    claimed = claimed_checksum(call)
    if claimed is None:
        return {}
    if checksum(claimed[0], call.body) != claimed[1]:
        raise Refusal(400, "BadDigest", f"The {claimed[0].upper()} you specified did not match the "
                      "calculated checksum.")
    return dict([claimed])


def parse_lock(call, is_checked):
    mode = call.header("x-amz-object-lock-mode") or ""
    until = call.header("x-amz-object-lock-retain-until-date") or ""
    hold = call.header("x-amz-object-lock-legal-hold") or ""
    if bool(mode) != bool(until) or mode not in ("", "GOVERNANCE", "COMPLIANCE"):
        raise Refusal(400, "InvalidArgument", "x-amz-object-lock-retain-until-date and "
                      "x-amz-object-lock-mode must both be supplied")
    if until:
        moment = parse_iso8601(until)
        if moment is None or moment.timestamp() <= call.moment.timestamp():
            raise Refusal(400, "InvalidArgument", "The retain until date must be in the future!",
                          ArgumentName="x-amz-object-lock-retain-until-date", ArgumentValue=until)
    if hold not in ("", "ON", "OFF"):
        raise Refusal(400, "InvalidArgument", "Unknown wormLegalHold directive")
    if (mode or hold) and not is_checked:
        raise Refusal(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required "
                      "for Put Object requests with Object Lock parameters")
    return mode, until, hold


def parse_attributes(call, is_checked):
    """What a PUT or the creation of an upload says about the object. `is_checked`: the body came
    with Content-MD5 or a checksum, or need not."""
    attributes = Attributes()
    for name, value in call.headers:
        if name.lower().startswith("x-amz-meta-"):
            attributes.metadata[name.lower()[len("x-amz-meta-"):]] = value
        elif name.lower().startswith("x-amz-server-side-encryption"):
            attributes.encryption[name.lower()] = value
    if sum(len(name) + len(value) for name, value in attributes.metadata.items()) > 2048:
        raise Refusal(400, "MetadataTooLarge",
                      "Your metadata headers exceed the maximum allowed metadata size")
    method = attributes.encryption.get("x-amz-server-side-encryption", "AES256")
    if method not in ("AES256", "aws:kms", "aws:kms:dsse") or (
            "x-amz-server-side-encryption-aws-kms-key-id" in attributes.encryption
            and not method.startswith("aws:kms")):
        raise Refusal(400, "InvalidArgument", "The encryption method specified is not supported",
                      ArgumentName="x-amz-server-side-encryption", ArgumentValue=method)
    attributes.storage_class = call.header("x-amz-storage-class") or "STANDARD"
    if attributes.storage_class not in STORAGE_CLASSES:
        raise Refusal(400, "InvalidStorageClass",
                      "The storage class you specified is not valid")
    attributes.content_type = call.header("content-type") or "binary/octet-stream"
    lock = parse_lock(call, is_checked)
    attributes.lock_mode, attributes.retain_until, attributes.legal_hold = lock
    return attributes
