"""A signed S3 client for tests in Python: to look into a store, to damage it, and to try servers.
One attempt for each request, and no opinion on the answer."""

import dataclasses
import hashlib
import http.client
import ssl
import urllib.parse

from s3_signature import SignedRequest, encode_bytewise, sign


@dataclasses.dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def code(self):
        """What the error document names, "" without one."""
        before, found, rest = self.body.partition(b"<Code>")
        return rest.partition(b"</Code>")[0].decode() if found else ""


class S3Client:
    """Talks to `endpoint` (http:// or https:// with host and port) in path style, over one
    connection; not for several threads."""

    def __init__(self, endpoint, credentials, ca_file=None, timeout=60):
        url = urllib.parse.urlsplit(endpoint)
        self.host = url.netloc
        self.credentials = credentials
        if url.scheme == "https":
            self.connection = http.client.HTTPSConnection(
                url.netloc, timeout=timeout, context=ssl.create_default_context(cafile=ca_file))
        else:
            self.connection = http.client.HTTPConnection(url.netloc, timeout=timeout)

    def close(self):
        self.connection.close()

    def prepare(self, method, bucket, key, query, headers, body):
        """The request before it is signed; tests change it and sign or send it themselves."""
        path = f"/{bucket}" + (f"/{urllib.parse.quote(key, safe='-_.~/')}" if key else "")
        text = "&".join(f"{encode_bytewise(name)}={encode_bytewise(value)}"
                        for name, value in sorted(query.items()))
        names = {name.lower() for name in headers}
        fields = list(headers.items())
        if "host" not in names:
            fields.append(("host", self.host))
        payload_hash = headers.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
        return SignedRequest(method, path, text, fields, payload_hash)

    def send(self, request, body=b""):
        target = request.raw_path + (f"?{request.query}" if request.query else "")
        self.connection.putrequest(request.method, target, skip_host=True,
                                   skip_accept_encoding=True)
        for name, value in request.headers:
            self.connection.putheader(name, value)
        if body or request.method in ("PUT", "POST"):
            self.connection.putheader("content-length", str(len(body)))
        try:
            self.connection.endheaders(body or None)
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()},
                        data)

    def call(self, method, bucket, key="", *, query=None, headers=None, body=b""):
        request = self.prepare(method, bucket, key, query or {}, headers or {}, body)
        sign(request, self.credentials)
        return self.send(request, body)
