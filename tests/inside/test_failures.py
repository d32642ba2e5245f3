"""Which errors are likely to pass. The clients' classes are rebuilt here by name and shape."""

import errno
import socket
import urllib.error
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from typing import Any

import pytest

from stepwell.errors import InvalidStep, RetryAfter, TerminalError, ValueNotStorable
from stepwell.inside import failure_of


def kind(path: str, *above: type) -> Any:
    """An exception class of that module and name, as if its package were there."""
    module, _, name = path.rpartition(".")
    return type(name, above or (Exception,), {"__module__": module})


class Response:
    """Of an HTTP client."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, **names: int) -> None:
        self.headers = headers or {}
        for name in names or {"status_code": 0}:
            setattr(self, name, status)


def with_response(path: str, response: Response) -> Exception:
    """An error that has a response."""
    error: Exception = kind(path)("status")
    error.response = response  # type: ignore[attr-defined]
    return error


def http_error(code: int, **headers: str) -> urllib.error.HTTPError:
    """As urllib raises it."""
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", code, "", message, None)


httpx_error = kind("httpx.HTTPError")
TRANSPORT = kind("httpx.TransportError", httpx_error)
requests_error = kind("requests.exceptions.RequestException", OSError)
requests_lost = kind("requests.exceptions.ConnectionError", requests_error)
aiohttp_error = kind("aiohttp.client_exceptions.ClientError")
aiohttp_lost = kind("aiohttp.client_exceptions.ClientConnectionError", aiohttp_error)

PASSING: dict[str, BaseException] = {
    "time-out": TimeoutError("x"),
    "time-out of a socket": TimeoutError("x"),
    "reset": ConnectionResetError("x"),
    "refused": ConnectionRefusedError("x"),
    "no route": OSError(errno.EHOSTUNREACH, "x"),
    "name server": socket.gaierror(-3, "Temporary failure in name resolution"),
    "urllib, lost": urllib.error.URLError(ConnectionRefusedError()),
    "urllib, 503": http_error(503),
    "httpx, time-out": kind("httpx.ReadTimeout", kind("httpx.TimeoutException", TRANSPORT))("x"),
    "httpx, lost": kind("httpx.ConnectError", kind("httpx.NetworkError", TRANSPORT))("x"),
    "httpx2, lost": kind("httpx2.ConnectError", kind("httpx2.NetworkError"))("x"),
    "httpx, 500": with_response("httpx.HTTPStatusError", Response(500)),
    "httpx, 429": with_response("httpx.HTTPStatusError", Response(429)),
    "requests, time-out": kind("requests.exceptions.Timeout", requests_error)("x"),
    "requests, lost": requests_lost("x"),
    "requests, 502": with_response("requests.exceptions.HTTPError", Response(502)),
    "aiohttp, lost": kind("aiohttp.client_exceptions.ServerDisconnectedError", aiohttp_lost)("x"),
    "openai": kind("openai.APITimeoutError", kind("openai.APIConnectionError"))("x"),
    "all of a group": ExceptionGroup("x", [TimeoutError(), http_error(500)]),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING.keys())
def test_what_is_likely_to_pass_is_told(error: BaseException) -> None:
    """Time-outs, lost connections, 429 and 5xx."""
    found = failure_of(error)
    assert found.is_transient
    assert not found.is_terminal


LASTING: dict[str, BaseException] = {
    "a bug": NameError("x"),
    "another": TypeError("x"),
    "a value": ValueError("x"),
    "a missing file": FileNotFoundError("x"),
    "a full disk": OSError(errno.ENOSPC, "x"),
    "no such host": socket.gaierror(-2, "Name or service not known"),
    "urllib, 404": http_error(404),
    "httpx, 401": with_response("httpx.HTTPStatusError", Response(401)),
    "httpx, a bad address": kind("httpx.UnsupportedProtocol", TRANSPORT)("x"),
    "requests, a certificate": kind("requests.exceptions.SSLError", requests_lost)("x"),
    "aiohttp, a certificate": kind(
        "aiohttp.client_exceptions.ClientConnectorCertificateError", aiohttp_lost
    )("x"),
    "a name that looks like it": kind("mine.TimeoutError")("x"),
    "part of a group": ExceptionGroup("x", [TimeoutError(), NameError()]),
}


@pytest.mark.parametrize("error", LASTING.values(), ids=LASTING.keys())
def test_what_is_not_is_not_tried_again(error: BaseException) -> None:
    """Mistakes in the code above all; and what a server has refused for good."""
    assert not failure_of(error).is_transient


def test_an_aiohttp_error_has_its_status_itself() -> None:
    """No response, but the number and the headers."""
    error = kind("aiohttp.client_exceptions.ClientResponseError", aiohttp_error)("x")
    error.status, error.headers = 429, {"Retry-After": "3"}
    assert failure_of(error).retry_after == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_a_server_may_say_how_long(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, or milliseconds; nonsense is as good as nothing."""
    error = with_response("httpx.HTTPStatusError", Response(503, headers))
    assert failure_of(error).retry_after == seconds


def test_a_server_may_give_a_date() -> None:
    """As HTTP writes them; one that has passed means at once."""
    then = datetime.now(UTC) + timedelta(seconds=60)
    wait = failure_of(http_error(429, Retry_After=format_datetime(then))).retry_after
    assert wait is not None
    assert 57 < wait <= 60
    past = format_datetime(then - timedelta(days=1))
    assert failure_of(http_error(429, Retry_After=past)).retry_after == 0


def test_a_status_that_is_for_good_is_not_waited_for() -> None:
    """Whatever the server says of waiting."""
    found = failure_of(http_error(404, Retry_After="5"))
    assert (found.is_transient, found.retry_after) == (False, None)


def test_code_may_say_when() -> None:
    """In seconds, as a length of time, or as a time of day."""
    assert failure_of(RetryAfter(5)).retry_after == 5
    assert failure_of(RetryAfter(timedelta(minutes=1))).retry_after == 60
    then = datetime.now(UTC) + timedelta(seconds=30)
    for when in (then, then.astimezone().replace(tzinfo=None)):
        wait = failure_of(RetryAfter(when)).retry_after
        assert wait is not None
        assert 27 < wait <= 30
    assert "in 5 s (busy)" in str(RetryAfter(5, "busy"))


@pytest.mark.parametrize(
    "error", [TerminalError("x"), InvalidStep("a", "x"), ValueNotStorable("T", "x")]
)
def test_what_is_useless_to_repeat_is_said(error: Exception) -> None:
    """Also where the step retries everything."""
    assert failure_of(error).is_terminal


def test_a_value_that_cannot_be_stored_is_no_reason_to_pay_again() -> None:
    """Nor is anything else that is not the code's doing."""
    assert failure_of(TimeoutError(), is_user_code=False).is_terminal


def test_names_go_up_the_tree() -> None:
    """So that `--retry-on OSError` means what derives from it as well."""
    assert failure_of(ConnectionResetError()).kinds[:3] == (
        "ConnectionResetError",
        "ConnectionError",
        "OSError",
    )


class Hostile(Exception):
    """An error that cannot be made without arguments, nor looked at."""

    def __init__(self, one: int, *, two: int) -> None:
        super().__init__()

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("never")


def test_a_custom_exception_never_breaks_anything() -> None:
    """Custom exception class with required args; with attributes that raise, too."""
    found = failure_of(Hostile(1, two=2))
    assert found.kinds[0] == "Hostile"
    assert not found.is_transient
