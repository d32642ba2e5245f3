"""`--map` and what goes with it."""

from stepwell.errors import InvalidUsage
from stepwell.flow import MapOver, share_of
from stepwell.magics._options import Kind, Option, Parsed, Takes

__all__ = ["MAP_OPTIONS", "map_over"]

MAP_OPTIONS: tuple[Option, ...] = (
    Option(
        "--map",
        Takes.ONE,
        "ITEM=ITEMS",
        "run the code once for each element of ITEMS, under the name ITEM; what it writes is "
        "gathered in order into lists. ITEMS is a name or an expression, for example "
        "page=pages[:5] or page=[p for p in pages if p.ok]",
        (Kind.OUTPUT,),
        is_code=True,
    ),
    Option(
        "--key",
        Takes.ONE,
        "EXPR",
        "what tells one element from another, for example item.id; without it, its value does",
        is_code=True,
    ),
    Option("--max-parallel", Takes.ONE, "N", "work on so many elements at once, at most"),
    Option("--keep-going", help="try every element although some have failed"),
    Option(
        "--min-success",
        Takes.ONE,
        "SHARE",
        "be content with so large a share of elements done, 0.97 or 97%; those that failed are "
        "None in the lists. Tries every element, as --keep-going does",
    ),
)


def map_over(parsed: Parsed) -> MapOver | None:
    """What the options say; None for a step that is not mapped. Raises `InvalidUsage`."""
    if not parsed.has("--map"):
        _refuse_alone(parsed)
        return None
    item, equals, source = parsed.one("--map").partition("=")
    if not (equals and item.strip() and source.strip()):
        raise InvalidUsage(
            f"%%step: --map {parsed.one('--map')!r} does not say what is what. Write "
            "--map item=items: one element's name, and what to go over."
        )
    given = parsed.has("--min-success")
    return MapOver(
        item=item.strip(),
        source=source.strip(),
        key=parsed.one("--key").strip(),
        max_parallel=_count(parsed),
        keep_going=parsed.has("--keep-going") or given,
        min_success=share_of(parsed.one("--min-success"), what="--min-success") if given else 1.0,
    )


def _refuse_alone(parsed: Parsed) -> None:
    for option in MAP_OPTIONS:
        if parsed.has(option.name):
            raise InvalidUsage(
                f"%%step: {option.name} is about the elements of a mapped step: "
                "add --map item=items, or leave it out."
            )


def _count(parsed: Parsed) -> int:
    if not parsed.has("--max-parallel"):
        return 0
    text = parsed.one("--max-parallel")
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InvalidUsage(f"%%step: --max-parallel {text!r} is not a number of 1 or more.")
    return int(text)
