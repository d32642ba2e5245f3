"""Whether an error is likely to pass: time-outs, lost connections, busy servers.

The errors of HTTP clients are told by their names and attributes: none of these clients is
imported, or needs to be there. An error whose attributes cannot be read is one of which
nothing more is known.
"""

import errno
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec.structs import replace

from stepwell.errors import (
    AgentFailed,
    FlowError,
    InvalidUsage,
    LimitsCrossed,
    RetryAfter,
    TerminalError,
    ValueProblem,
)
from stepwell.orchestrator import Failure

__all__ = ["failure_of"]

_PASSING = (TimeoutError, ConnectionError, LimitsCrossed)
_PASSING_ERRNO = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EAGAIN})
_PASSING_STATUS = frozenset({408, 425, 429, *range(500, 600)})
_NEVER = (TerminalError, FlowError, InvalidUsage, ValueProblem)

# The package that defines a class, and the class's name; what derives from it counts as well.
_PASSING_NAMES = frozenset(
    [
        *(("httpx", name) for name in ("TimeoutException", "NetworkError", "ProxyError")),
        *(("httpx2", name) for name in ("TimeoutException", "NetworkError", "ProxyError")),
        ("httpx", "RemoteProtocolError"),
        ("httpx2", "RemoteProtocolError"),
        *(("httpcore", name) for name in ("TimeoutException", "NetworkError")),
        *(("requests", name) for name in ("ConnectionError", "Timeout", "ChunkedEncodingError")),
        ("urllib3", "TimeoutError"),
        ("urllib3", "NewConnectionError"),
        ("urllib3", "ProtocolError"),
        *(("aiohttp", name) for name in ("ClientConnectionError", "ClientPayloadError")),
        ("http", "IncompleteRead"),
        ("openai", "APIConnectionError"),
        ("anthropic", "APIConnectionError"),
    ]
)
# Derived from the above and yet not passing: a certificate is not mended by waiting.
_LASTING_NAMES = frozenset(
    [
        ("requests", "SSLError"),
        ("aiohttp", "ClientSSLError"),
        ("aiohttp", "ClientConnectorCertificateError"),
        ("aiohttp", "InvalidURL"),
        ("aiohttp", "ServerFingerprintMismatch"),
    ]
)


def failure_of(error: BaseException, *, is_user_code: bool = True) -> Failure:
    """What is known of an error besides its text. Never fails, whatever the error is like."""
    kinds = tuple(kind.__name__ for kind in type(error).__mro__ if kind is not object)
    if isinstance(error, AgentFailed) and isinstance(error.failure, Failure):
        # Of an agent: what its step has failed of is what may pass.
        return replace(error.failure, kinds=(*kinds, *error.failure.kinds))
    if isinstance(error, BaseExceptionGroup):
        return _of_group(kinds, [failure_of(each) for each in _parts(error)])
    if isinstance(error, _NEVER) or not is_user_code:
        return Failure(kinds, is_terminal=True)
    if isinstance(error, RetryAfter):
        return Failure(kinds, is_transient=True, retry_after=error.seconds_from(datetime.now(UTC)))
    if not _is_passing(error):
        return Failure(kinds)
    return Failure(kinds, is_transient=True, retry_after=_asked_to_wait(error))


def _parts(group: Any) -> tuple[BaseException, ...]:
    parts: tuple[BaseException, ...] = group.exceptions
    return parts


def _of_group(kinds: tuple[str, ...], parts: list[Failure]) -> Failure:
    waits = [part.retry_after for part in parts if part.retry_after is not None]
    return Failure(
        tuple(dict.fromkeys([*kinds, *(kind for part in parts for kind in part.kinds)])),
        is_transient=all(part.is_transient for part in parts),
        is_terminal=any(part.is_terminal for part in parts),
        retry_after=max(waits, default=None),
    )


def _is_passing(error: BaseException) -> bool:
    names = set(_names(error))
    if names & _LASTING_NAMES:
        return False
    status = _status(error)
    if status is not None:
        return status in _PASSING_STATUS
    if isinstance(error, _PASSING) or names & _PASSING_NAMES:
        return True
    if type(error).__name__ == "TransactionException":  # of DuckDB's
        return "conflict" in str(error).lower()
    return _is_passing_os_error(error)


def _is_passing_os_error(error: BaseException) -> bool:
    if not isinstance(error, OSError):
        return False
    if type(error).__name__ == "gaierror":
        return error.errno == -3  # EAI_AGAIN: the name server did not answer
    reason = _attribute(error, "reason")  # urllib wraps what has happened
    if isinstance(reason, BaseException) and reason is not error:
        return _is_passing(reason)
    return error.errno in _PASSING_ERRNO


def _names(error: BaseException) -> Iterator[tuple[str, str]]:
    for kind in type(error).__mro__:
        yield str(kind.__module__).partition(".")[0], kind.__name__


def _status(error: BaseException) -> int | None:
    """The HTTP status, where the error is about one."""
    response = _attribute(error, "response")
    found = [
        _attribute(response, "status_code"),
        _attribute(response, "status"),
        _attribute(error, "status_code"),
        _attribute(error, "status"),
        _attribute(error, "code"),
    ]
    return next((it for it in found if type(it) is int and 100 <= it < 600), None)


def _asked_to_wait(error: BaseException) -> float | None:
    """Seconds, where the server has said how long."""
    for holder in (_attribute(error, "response"), error):
        headers = _attribute(holder, "headers")
        get = _attribute(headers, "get")
        if callable(get):
            for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
                seconds = _seconds(_header(get, name), scale)
                if seconds is not None:
                    return seconds
    return None


def _header(get: Callable[..., Any], name: str) -> str:
    # A plain dict knows a header only as it was written.
    for spelling in (name, name.title()):
        with suppress(Exception):
            found = get(spelling)
            if isinstance(found, str | int | float):
                return str(found)
    return ""


def _seconds(text: str, scale: float) -> float | None:
    if not text.strip():
        return None
    try:
        seconds = float(text) * scale
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _attribute(holder: object, name: str) -> Any:
    """The attribute; None where there is none, or where looking at it fails."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None
