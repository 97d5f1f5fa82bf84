"""An S3 server on loopback: moto's, with real buckets, multipart uploads and rights."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_REGION = "us-east-1"
KEY, SECRET = "AKIATESTTESTTESTTEST", "SECRET-of-the-test"


class Keys(NamedTuple):
    """Credentials of a user."""

    key: str
    secret: str


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


class _Atomic:
    """As on S3, of two who create an object only if it is absent, one is refused.

    moto looks and then writes; between the two another request may do the same.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Any:
        if "HTTP_IF_NONE_MATCH" not in environment:
            return self._application(environment, start_response)
        with self._lock:
            return self._application(environment, start_response)


class S3Server:
    """A running server; `client` looks at it, and changes it, behind everybody's back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Any = self._client("s3")
        self._buckets = 0

    def new_bucket(self) -> str:
        """The name of a new empty bucket."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Names of the objects in a bucket (up to 1,000), sorted."""
        answer = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for each in answer.get("Contents", ())]

    def content(self, bucket: str, key: str) -> bytes:
        """The content of an object."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def uploads(self, bucket: str) -> list[str]:
        """Names of the objects whose upload in several parts has begun and not ended."""
        answer = self.client.list_multipart_uploads(Bucket=bucket)
        return [each["Key"] for each in answer.get("Uploads", ())]

    def new_user(self, *actions: str) -> Keys:
        """A user who may do these actions of S3, everywhere, and no other."""
        self._buckets += 1
        iam, name = self._client("iam"), f"user-{self._buckets}"
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Keys(made["AccessKeyId"], made["SecretAccessKey"])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Look at everybody's signature and rights, until the end of the block."""
        self._check_after("0")
        try:
            yield
        finally:
            self._check_after("inf")

    def _check_after(self, requests_without: str) -> None:
        url = f"{self.url}/moto-api/reset-auth"
        requests.post(url, data=requests_without, timeout=10).raise_for_status()

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server that listens until the end of the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = _Atomic(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield S3Server(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
