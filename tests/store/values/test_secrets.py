"""What is known to be secret: found wherever it stands, covered wherever it is shown."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, SecretStr

from stepwell.errors import ValueNotStorable
from stepwell.store.values import SECRETS, encode, preview


class Settings(BaseModel):
    """A model with a secret in it."""

    url: str = "https://example.org/"
    key: SecretStr


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What one test knows to be secret is no other's."""
    SECRETS.forget()
    yield
    SECRETS.forget()


HOLDERS: list[object] = [
    "s3cret-\N{SNOWMAN}\n",
    "s3cret-\N{SNOWMAN}\n".encode(),
    SecretStr("s3cret-\N{SNOWMAN}\n"),
    {"Authorization": "s3cret-\N{SNOWMAN}\n", "n": 1},
    [("a", {"s3cret-\N{SNOWMAN}\n"})],
    Settings(key=SecretStr("s3cret-\N{SNOWMAN}\n"), url=""),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda it: type(it).__name__)
def test_the_texts_of_a_secret_are_found_in_it(holder: object) -> None:
    """Whatever holds them; short ones are in too much to be looked for."""
    SECRETS.keep("key", holder)
    assert SECRETS.masked("<s3cret-\N{SNOWMAN}\n> a Authorization") == "<•••> a Authorization"
    assert SECRETS.name_in("say s3cret-\N{SNOWMAN}\n") == "key"
    assert SECRETS.name_in("nothing") == ""


@pytest.mark.parametrize(
    "value",
    [
        "s3cret-\N{SNOWMAN}\n",
        ["a", {"b": "<s3cret-\N{SNOWMAN}\n>"}],
        ("s3cret-\N{SNOWMAN}\n",),
        "s3cret-\N{SNOWMAN}\n".encode(),
        RuntimeError("no s3cret-\N{SNOWMAN}\n"),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_value_with_a_secret_in_it_is_not_storable(value: object) -> None:
    """By whatever codec it would be written; the message does not say it either."""
    encode(value)
    SECRETS.keep("key", "s3cret-\N{SNOWMAN}\n")
    with pytest.raises(ValueNotStorable, match="holds the secret 'key' in clear") as refused:
        encode(value)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in preview(value)


def test_a_secret_that_was_met_is_covered_from_then_on() -> None:
    """What its type says is enough."""
    with pytest.raises(ValueNotStorable, match="never stored"):
        encode(Settings(key=SecretStr("s3cret-text")))
    assert SECRETS.masked("it is s3cret-text") == "it is •••"


def test_the_longest_secret_is_covered_first() -> None:
    """Of one that begins as another does nothing is left."""
    SECRETS.keep("short", "s3cret")
    SECRETS.keep("long", "s3cret-and-more")
    assert SECRETS.covered({"k": ["s3cret-and-more", 1, ("s3cret",)]}) == {"k": ["•••", 1, ["•••"]]}


def test_a_short_text_is_looked_for_nowhere() -> None:
    """It would stand in half of what people write."""
    SECRETS.keep("pin", "1234")
    assert SECRETS.masked("12345") == "12345"
    assert encode("12345").preview == '"12345"'
