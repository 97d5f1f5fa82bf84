"""What went wrong at a provider of object storage, in one sentence and without secrets."""

import errno

from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.object_storage.providers import Location
from retrainer.errors import PlatformError, ServerError

_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_NO_CREDENTIALS = frozenset(
    {
        "ClientAuthenticationError",
        "CredentialUnavailableError",
        "GoogleAuthError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "CredentialRetrievalError",
        "TokenRetrievalError",
    }
)
_LATE = frozenset({"TimeoutError", "ConnectTimeoutError", "ReadTimeoutError"})
_UNREACHABLE = frozenset({"ConnectionError", "ClientConnectionError", "ServiceRequestError"})
_BROKEN = frozenset(
    {
        "ClientPayloadError",
        "ConnectionClosedError",
        "HTTPClientError",
        "IncompleteRead",
        "ServiceResponseError",
    }
)
_DENIED = frozenset(
    {"403", "AccessDenied", "AuthorizationFailure", "AuthorizationPermissionMismatch"}
)
_BUSY = frozenset({"500", "502", "503", "InternalError", "ServiceUnavailable", "SlowDown"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LONGEST = 300


def is_missing_bucket(error: BaseException) -> bool:
    """Whether it is the bucket that is missing, not an object in it."""
    words = str(error).lower()
    return _code(error) in {"NoSuchBucket", "ContainerNotFound"} or any(
        said in words for said in ("bucket does not exist", "container does not exist")
    )


def failure(doing: str, error: Exception, location: Location, limit: float) -> PlatformError:
    """The error that tells people of `error`, which happened while `doing` something somewhere.

    `limit` is the time that it had, in seconds.
    """
    if isinstance(error, OSError) and error.errno == errno.EBUSY:  # s3fs compares the marks
        return PlatformError(
            f"{doing}: it was replaced while it was read",
            tip="who else writes there? run the cycle again",
        )
    words = " ".join(_redacted(error, location).split())[:_LONGEST]
    return (
        _refused(doing, error, location)
        or _unanswered(doing, error, location, limit)
        or PlatformError(f"{doing} failed: {words or type(error).__name__}")
    )


def late(doing: str, limit: float) -> ServerError:
    """There was no answer within `limit`, in seconds."""
    return ServerError(
        f"{doing}: no answer within {limit:g} s",
        tip="is the server up? `timeout` and `transfer_timeout` set how long to wait",
    )


def _refused(doing: str, error: Exception, location: Location) -> PlatformError | None:
    """The server, or our own client, will not do it."""
    code = _code(error)
    if is_missing_bucket(error) or isinstance(error, FileNotFoundError):
        return PlatformError(
            f"{doing}: there is no bucket {location.bucket}",
            tip="create the bucket, or correct the URL",
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        return PlatformError(f"{doing}: {error.strerror}", tip="free space where it is written")
    if _kinds(error) & _NO_CREDENTIALS:
        return PlatformError(
            f"{doing}: no usable credentials were found ({type(error).__name__})",
            tip="set `key` and `secret`, or the provider's own environment variables",
        )
    if code in _CREDENTIALS:
        return PlatformError(
            f"{doing}: the credentials are not accepted ({code})",
            tip="check `key` and `secret`, or the provider's own environment variables",
        )
    if isinstance(error, PermissionError) or code in _DENIED or str(error).startswith("Forbidden"):
        return PlatformError(
            f"{doing}: access is denied",
            tip=f"the credentials need the rights to list, read, write and delete in {location.url}",
        )
    return None


def _unanswered(
    doing: str, error: Exception, location: Location, limit: float
) -> ServerError | None:
    """The server could not be asked, or did not answer."""
    kinds = _kinds(error)
    if kinds & _LATE:
        return late(doing, limit)
    if kinds & _BROKEN:
        return ServerError(
            f"{doing}: the connection was lost ({type(error).__name__})",
            tip="the log of the server, or of a proxy in front of it, should say why",
        )
    if kinds & _UNREACHABLE:
        address = location.access.endpoint_url or location.url
        return ServerError(f"{doing}: {address} cannot be reached", tip="is the server up?")
    if (code := _code(error)) in _BUSY:
        return ServerError(f"{doing}: the server cannot answer now ({code})", tip="try again later")
    return None


def _kinds(error: Exception) -> set[str]:
    """Names of the error's class and its bases: no provider's package has to be imported."""
    return {kind.__name__ for kind in type(error).__mro__}


def _code(error: BaseException | None) -> str:
    """The provider's own word for what happened, of the error or what caused it."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        for name in ("error_code", "code"):
            if isinstance(code := getattr(error, name, None), str | int):
                return str(getattr(code, "value", code))
        error = error.__cause__
    return ""


def _redacted(error: Exception, location: Location) -> str:
    secret = location.access.secret
    return redacted(str(error), [secret.get_secret_value()] if secret else [])
