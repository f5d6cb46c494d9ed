"""What s3_server.py keeps: buckets of objects and multipart uploads, in memory, and the rules under
which S3 takes them. Safe from several threads: each public function is one step under the lock."""

import base64
import dataclasses
import datetime
import hashlib
import itertools
import secrets
import threading

from s3_checksum import checksum
from s3_signature import Refusal

PART_SIZE_MIN = 5 << 20
PART_NUMBER_MAX = 10000
# The kinds of whole-object checksum that a multipart upload may ask for; the first is the default.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
CHECKSUM_TYPES = {"crc32": ("COMPOSITE", "FULL_OBJECT"), "crc32c": ("COMPOSITE", "FULL_OBJECT"),
                  "crc64nvme": ("FULL_OBJECT",), "sha1": ("COMPOSITE",), "sha256": ("COMPOSITE",)}


@dataclasses.dataclass
class Attributes:
    """What a PUT or the creation of an upload says about the object to be."""
    metadata: dict = dataclasses.field(default_factory=dict)
    content_type: str = "binary/octet-stream"
    storage_class: str = "STANDARD"
    encryption: dict = dataclasses.field(default_factory=dict)  # headers to echo
    lock_mode: str = ""
    retain_until: str = ""
    legal_hold: str = ""


@dataclasses.dataclass
class StoredObject:
    body: bytes
    etag: str  # without quotes
    attributes: Attributes
    checksums: dict  # name -> base64, "-N" behind it when composite
    checksum_type: str = "FULL_OBJECT"
    modified: datetime.datetime = None

    def __post_init__(self):
        self.modified = datetime.datetime.now(datetime.timezone.utc)

    def is_locked(self):
        if self.attributes.legal_hold == "ON":
            return True
        until = self.attributes.retain_until
        return bool(until) and parse_iso8601(until) > datetime.datetime.now(datetime.timezone.utc)


@dataclasses.dataclass
class Part:
    body: bytes
    etag: str
    checksums: dict
    modified: datetime.datetime


@dataclasses.dataclass
class Upload:
    bucket: str
    key: str
    attributes: Attributes
    algorithm: str  # of the checksums, "" for none
    checksum_type: str
    parts: dict = dataclasses.field(default_factory=dict)  # number -> Part
    initiated: datetime.datetime = None

    def __post_init__(self):
        self.initiated = datetime.datetime.now(datetime.timezone.utc)


@dataclasses.dataclass
class PartOfCompletion:
    number: int
    etag: str
    checksums: dict


def parse_iso8601(text):
    """A moment as S3 takes it, None if it is none."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def byte_order(key):
    return key.encode("utf-8", "surrogateescape")


class ObjectStore:
    """All buckets. Bodies are never changed in place, so answers may use them without the lock."""

    def __init__(self, buckets, part_size_min=PART_SIZE_MIN):
        self.lock = threading.Lock()
        self.first_buckets = list(buckets)
        self.part_size_min = part_size_min
        self.reset()

    def reset(self):
        """Back to the empty buckets of the start."""
        with self.lock:
            self.buckets = {name: {} for name in self.first_buckets}
            self.uploads = {}

    def objects_of(self, bucket):
        objects = self.buckets.get(bucket)
        if objects is None:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist",
                          BucketName=bucket)
        return objects

    def check_bucket(self, bucket):
        with self.lock:
            self.objects_of(bucket)

    def create_bucket(self, bucket):
        with self.lock:
            if bucket in self.buckets:
                raise Refusal(409, "BucketAlreadyOwnedByYou", "Your previous request to create the "
                              "named bucket succeeded and you already own it.", BucketName=bucket)
            self.buckets[bucket] = {}

    def place(self, bucket, key, stored, if_absent):
        """The atomic step of every creation; the caller holds the lock."""
        objects = self.objects_of(bucket)
        old = objects.get(key)
        if old is not None and if_absent:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you "
                          "specified did not hold", Condition="If-None-Match")
        if old is not None and old.is_locked():
            raise Refusal(403, "AccessDenied",
                          "Access Denied because object protected by object lock.")
        objects[key] = stored

    def put(self, bucket, key, stored, if_absent):
        with self.lock:
            self.place(bucket, key, stored, if_absent)

    def get(self, bucket, key):
        """The object, or None."""
        with self.lock:
            return self.objects_of(bucket).get(key)

    def delete(self, bucket, key):
        with self.lock:
            objects = self.objects_of(bucket)
            stored = objects.get(key)
            if stored is not None and stored.is_locked():
                raise Refusal(403, "AccessDenied",
                              "Access Denied because object protected by object lock.")
            objects.pop(key, None)

    def list(self, bucket, prefix, start_after):
        """[(key, object)] in byte order behind `start_after`."""
        with self.lock:
            found = [(key, stored) for key, stored in self.objects_of(bucket).items()
                     if key.startswith(prefix) and byte_order(key) > byte_order(start_after)]
        return sorted(found, key=lambda item: byte_order(item[0]))

    def create_upload(self, upload):
        with self.lock:
            self.objects_of(upload.bucket)
            # With characters that a client must percent-encode in the query.
            upload_id = base64.b64encode(secrets.token_bytes(30)).decode() + "+/="
            self.uploads[upload_id] = upload
        return upload_id

    def upload_of(self, bucket, key, upload_id):
        upload = self.uploads.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            self.objects_of(bucket)
            raise Refusal(404, "NoSuchUpload", "The specified upload does not exist. The upload ID "
                          "may be invalid, or the upload may have been aborted or completed.",
                          UploadId=upload_id)
        return upload

    def find_upload(self, bucket, key, upload_id):
        with self.lock:
            return self.upload_of(bucket, key, upload_id)

    def put_part(self, bucket, key, upload_id, number, part):
        with self.lock:
            self.upload_of(bucket, key, upload_id).parts[number] = part

    def parts_of(self, bucket, key, upload_id):
        """[(number, Part)] in order."""
        with self.lock:
            return sorted(self.upload_of(bucket, key, upload_id).parts.items())

    def abort(self, bucket, key, upload_id):
        with self.lock:
            self.upload_of(bucket, key, upload_id)
            del self.uploads[upload_id]

    def list_uploads(self, bucket, prefix):
        """[(key, upload id, Upload)] in order."""
        with self.lock:
            self.objects_of(bucket)
            found = [(upload.key, upload_id, upload) for upload_id, upload in self.uploads.items()
                     if upload.bucket == bucket and upload.key.startswith(prefix)]
        return sorted(found, key=lambda item: (byte_order(item[0]), item[1]))

    def complete(self, bucket, key, upload_id, completion):
        """The new object from the parts that `completion` lists."""
        with self.lock:
            upload = self.upload_of(bucket, key, upload_id)
            chosen = self.choose_parts(upload, completion.parts)
        body = b"".join(part.body for part in chosen)
        stored = assemble(upload, chosen, body)
        completion.check(upload, stored)
        with self.lock:
            # Asked again: another request may have completed or aborted it meanwhile.
            self.upload_of(bucket, key, upload_id)
            self.place(bucket, key, stored, completion.if_absent)
            del self.uploads[upload_id]
        return stored

    def choose_parts(self, upload, listed):
        if not listed:
            raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed or did not "
                          "validate against our published schema")
        if [part.number for part in listed] != sorted({part.number for part in listed}):
            raise Refusal(400, "InvalidPartOrder", "The list of parts was not in ascending order. "
                          "Parts must be ordered by part number.")
        composite = upload.algorithm and upload.checksum_type == "COMPOSITE"
        chosen = []
        for wanted in listed:
            part = upload.parts.get(wanted.number)
            if composite and upload.algorithm not in wanted.checksums:
                raise Refusal(400, "InvalidRequest", "The upload was created using a "
                              f"{upload.algorithm} checksum. The complete request must include the "
                              "checksum for each part. It was missing for part "
                              f"{wanted.number} in the request.")
            if part is None or part.etag != wanted.etag or any(
                    part.checksums.get(name) != value for name, value in wanted.checksums.items()):
                raise Refusal(400, "InvalidPart", "One or more of the specified parts could not be "
                              "found. The part may not have been uploaded, or the specified entity "
                              "tag may not match the part's entity tag.",
                              PartNumber=str(wanted.number), ETag=wanted.etag)
            chosen.append(part)
        for wanted, part in itertools.islice(zip(listed, chosen), len(listed) - 1):
            if len(part.body) < self.part_size_min:
                raise Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the "
                              "minimum allowed size", ProposedSize=str(len(part.body)),
                              MinSizeAllowed=str(self.part_size_min),
                              PartNumber=str(wanted.number), ETag=part.etag)
        return chosen

    def state(self):
        """Everything, as the control interface shows it."""
        with self.lock:
            objects = [(bucket, key, stored) for bucket, objects in self.buckets.items()
                       for key, stored in objects.items()]
            uploads = [(upload_id, upload, sorted(upload.parts.items()))
                       for upload_id, upload in self.uploads.items()]
        return {
            "buckets": sorted(self.buckets),
            "objects": [{
                "bucket": bucket, "key": key, "size": len(stored.body),
                "sha256": hashlib.sha256(stored.body).hexdigest(), "etag": stored.etag,
                "metadata": stored.attributes.metadata, "checksums": stored.checksums,
                "checksum_type": stored.checksum_type,
                "storage_class": stored.attributes.storage_class,
                "encryption": stored.attributes.encryption,
                "lock_mode": stored.attributes.lock_mode,
                "retain_until": stored.attributes.retain_until,
            } for bucket, key, stored in sorted(objects, key=lambda item: item[:2])],
            "uploads": [{
                "bucket": upload.bucket, "key": upload.key, "upload_id": upload_id,
                "parts": [{"number": number, "size": len(part.body), "etag": part.etag}
                          for number, part in parts],
            } for upload_id, upload, parts in uploads],
        }


def assemble(upload, chosen, body):
    """The object that the parts make: its ETag and, where the upload asked for one, its checksum."""
    digests = b"".join(bytes.fromhex(part.etag) for part in chosen)
    etag = f"{hashlib.md5(digests).hexdigest()}-{len(chosen)}"
    checksums = {}
    name = upload.algorithm
    if name and upload.checksum_type == "COMPOSITE":
        of_parts = b"".join(base64.b64decode(part.checksums[name]) for part in chosen)
        checksums[name] = f"{checksum(name, of_parts)}-{len(chosen)}"
    elif name:
        checksums[name] = checksum(name, body)
    return StoredObject(body, etag, upload.attributes, checksums, upload.checksum_type)
