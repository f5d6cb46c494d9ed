"""AWS Signature Version 4 for S3 in Python: the verifier of s3_server.py, and the signer of the
clients that tests use. Written from the vendor's description and independent of the C++ signer,
so that one mistake cannot stand on both sides.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import dataclasses
import datetime
import hashlib
import hmac
import re
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SKEW_MAX_SECONDS = 15 * 60

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/ ,]+)/(?P<date>\d{8})/(?P<region>[^/ ,]+)"
    r"/(?P<service>[^/ ,]+)/aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;._-]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})")


class Refusal(Exception):
    """An error answer of S3: status, code, message, and further elements of the document."""

    def __init__(self, status, code, message="", **elements):
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.elements = elements


@dataclasses.dataclass
class Credentials:
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    session_token: str = ""


@dataclasses.dataclass
class SignedRequest:
    """What takes part in a signature. `raw_path` is as sent; `query` the raw text after "?"."""
    method: str
    raw_path: str
    query: str
    headers: list  # of (name, value) as sent
    payload_hash: str

    def header(self, name):
        """The value of a header that must not be repeated, or None."""
        values = [value for key, value in self.headers if key.lower() == name]
        if len(values) > 1:
            raise Refusal(400, "InvalidRequest", f"The header {name} is there {len(values)} times.")
        return values[0] if values else None


def encode(text):
    """Percent-encodes all but the unreserved characters, as the canonical request wants it."""
    return urllib.parse.quote(text, safe="-_.~")


def decode(text):
    return urllib.parse.unquote(text, errors="surrogateescape")


def parse_query(query):
    """[(name, value)] decoded, in the order of the query; "+" is a plus sign to S3."""
    pairs = []
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((decode(name), decode(value)))
    return pairs


def encode_bytewise(text):
    return encode(text.encode("utf-8", "surrogateescape"))


def canonical_query(query):
    pairs = [(encode_bytewise(name), encode_bytewise(value)) for name, value in parse_query(query)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_path(raw_path):
    """S3 encodes once, keeps "//" and "..", and takes "%2F" and "/" for the same."""
    path = urllib.parse.quote(decode(raw_path).encode("utf-8", "surrogateescape"), safe="-_.~/")
    return path or "/"


def canonical_request(request, signed_names):
    lines = []
    for name in signed_names:
        values = [" ".join(value.split()) for key, value in request.headers if key.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    return "\n".join([request.method, canonical_path(request.raw_path),
                      canonical_query(request.query), "".join(lines), ";".join(signed_names),
                      request.payload_hash])


def string_to_sign(canonical, timestamp, scope):
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return "\n".join([ALGORITHM, timestamp, scope, digest])


def signature_of(secret_key, scope, text):
    """The signature of `text` with the key derived for `scope`: date/region/service/aws4_request."""
    key = ("AWS4" + secret_key).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def format_timestamp(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def parse_timestamp(text):
    """The moment of an x-amz-date, None if it is none."""
    try:
        moment = datetime.datetime.strptime(text or "", "%Y%m%dT%H%M%SZ")
    except ValueError:
        return None
    return moment.replace(tzinfo=datetime.timezone.utc)


def sign(request, credentials, now=None):
    """Adds x-amz-date, x-amz-content-sha256, token and authorization to `request`, signing all of
    its headers."""
    timestamp = format_timestamp(now or datetime.datetime.now(datetime.timezone.utc))
    added = [("x-amz-date", timestamp), ("x-amz-content-sha256", request.payload_hash)]
    if credentials.session_token:
        added.append(("x-amz-security-token", credentials.session_token))
    present = {name.lower() for name, _ in request.headers}
    request.headers += [(name, value) for name, value in added if name not in present]
    names = sorted({name.lower() for name, _ in request.headers})
    scope = f"{timestamp[:8]}/{credentials.region}/s3/aws4_request"
    text = string_to_sign(canonical_request(request, names), timestamp, scope)
    signature = signature_of(credentials.secret_key, scope, text)
    request.headers.append((
        "authorization", f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"))


def check_time(request, now):
    """The moment of the request's x-amz-date, refused if it is too far from `now`."""
    text = request.header("x-amz-date")
    moment = parse_timestamp(text)
    if moment is None:
        raise Refusal(403, "AccessDenied",
                      "AWS authentication requires a valid Date or x-amz-date header")
    if abs((moment - now).total_seconds()) > SKEW_MAX_SECONDS:
        raise Refusal(403, "RequestTimeTooSkewed",
                      "The difference between the request time and the current time is too large.",
                      RequestTime=text, ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                      MaxAllowedSkewMilliseconds=str(SKEW_MAX_SECONDS * 1000))
    return text


def check_scope(fields, timestamp, credentials):
    if fields["key"] != credentials.access_key:
        raise Refusal(403, "InvalidAccessKeyId",
                      "The AWS Access Key Id you provided does not exist in our records.",
                      AWSAccessKeyId=fields["key"])
    malformed = "The authorization header is malformed; "
    if fields["region"] != credentials.region:
        raise Refusal(400, "AuthorizationHeaderMalformed",
                      malformed + f"the region '{fields['region']}' is wrong; "
                      f"expecting '{credentials.region}'", Region=credentials.region)
    if fields["service"] != "s3":
        raise Refusal(400, "AuthorizationHeaderMalformed",
                      malformed + f"incorrect service \"{fields['service']}\". "
                      "This endpoint belongs to \"s3\".")
    if fields["date"] != timestamp[:8]:
        raise Refusal(400, "AuthorizationHeaderMalformed",
                      malformed + f"Invalid credential date \"{fields['date']}\". "
                      "This date is not the same as X-Amz-Date.")


def check_signed_names(request, names):
    if names != sorted(set(names)):
        raise Refusal(400, "AuthorizationHeaderMalformed",
                      "The authorization header is malformed; SignedHeaders is not sorted.")
    present = {name.lower() for name, _ in request.headers}
    must = {name for name in present if name.startswith("x-amz-") or name in ("host", "content-md5")}
    unsigned = sorted(must - set(names))
    if unsigned or "host" not in names:
        raise Refusal(403, "AccessDenied",
                      "There were headers present in the request which were not signed",
                      HeadersNotSigned=", ".join(unsigned or ["host"]))
    # A client that signs what it does not send would be refused by the real server, too.
    absent = sorted(set(names) - present)
    if absent:
        raise Refusal(403, "SignatureDoesNotMatch",
                      f"Signed headers that were not sent: {', '.join(absent)}")


def verify(request, credentials, now):
    """Refuses `request` unless its signature is right in every part. The payload's hash is only
    taken as a text here: comparing it with the body is the caller's."""
    authorization = request.header("authorization")
    if authorization is None:
        raise Refusal(403, "AccessDenied", "Access Denied")
    match = AUTHORIZATION.fullmatch(authorization)
    if match is None:
        raise Refusal(400, "AuthorizationHeaderMalformed",
                      "The authorization header that you provided is not valid.")
    if not request.payload_hash:
        raise Refusal(400, "InvalidRequest",
                      "Missing required header for this request: x-amz-content-sha256")
    timestamp = check_time(request, now)
    check_scope(match, timestamp, credentials)
    if (request.header("x-amz-security-token") or "") != credentials.session_token:
        raise Refusal(400, "InvalidToken",
                      "The provided token is malformed or otherwise invalid.")
    names = match["headers"].split(";")
    check_signed_names(request, names)
    scope = f"{match['date']}/{match['region']}/s3/aws4_request"
    canonical = canonical_request(request, names)
    text = string_to_sign(canonical, timestamp, scope)
    expected = signature_of(credentials.secret_key, scope, text)
    if not hmac.compare_digest(expected, match["signature"]):
        raise Refusal(403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your key and signing method.",
                      AWSAccessKeyId=match["key"], StringToSign=text,
                      SignatureProvided=match["signature"], CanonicalRequest=canonical)
