"""What a step printed and displayed, as it is shown again below a restored step's card."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["replay"]

_TEXT = 200_000

Entry = dict[str, Any]


def replay(log: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The recorded outputs in nbformat's shape, ready to be sent again.

    Neighbouring texts of one stream are joined and the excess in the middle is left out and
    counted; a display that was updated is shown once, as it was in the end. What cannot be
    read is named, never passed over.
    """
    shown: list[Entry] = []
    displays: dict[str, list[Entry]] = {}
    for entry in log:
        match entry.get("output_type"):
            case "stream":
                _add_text(shown, str(entry.get("name", "stdout")), _text(entry.get("text", "")))
            case "display_data" | "update_display_data" | "execute_result":
                _add_display(shown, displays, entry)
            case "error":
                shown.append(_error(entry))
            case other:
                _add_text(shown, "stderr", f"(an output of unknown type {other!r} is not shown)\n")
    for entry in shown:
        if entry["output_type"] == "stream":
            entry["text"] = _shortened(entry["text"])
    return shown


def _add_text(shown: list[Entry], name: str, text: str) -> None:
    last = shown[-1] if shown else None
    if last is not None and last["output_type"] == "stream" and last["name"] == name:
        last["text"] += text
    else:
        shown.append({"output_type": "stream", "name": name, "text": text})


def _add_display(
    shown: list[Entry], displays: dict[str, list[Entry]], entry: Mapping[str, Any]
) -> None:
    data, metadata = dict(entry.get("data") or {}), dict(entry.get("metadata") or {})
    transient: Mapping[str, Any] = entry.get("transient") or {}
    key = str(transient.get("display_id") or "")
    # A later display under a known id is one more place that shows the same; an update is none.
    for known in displays.get(key, ()):
        known.update(data=data, metadata=metadata)
    if entry["output_type"] == "update_display_data":
        return
    display: Entry = {"output_type": "display_data", "data": data, "metadata": metadata}
    shown.append(display)
    if key:
        displays.setdefault(key, []).append(display)


def _error(entry: Mapping[str, Any]) -> Entry:
    return {
        "output_type": "error",
        "ename": str(entry.get("ename", "Error")),
        "evalue": str(entry.get("evalue", "")),
        "traceback": [str(row) for row in entry.get("traceback") or ()],
    }


def _text(said: str | list[str]) -> str:
    # On disk nbformat keeps text as a list of lines.
    return said if isinstance(said, str) else "".join(said)


def _shortened(text: str) -> str:
    if len(text) <= _TEXT:
        return text
    half = _TEXT // 2
    return f"{text[:half]}\n… ({len(text) - _TEXT:,} characters left out)\n{text[-half:]}"
