"""Nothing that can run code is loaded unless this user wrote it, or said so."""

import os
import pickle
import stat
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from msgspec import structs

from stepwell.errors import InvalidUsage, UnsupportedEnvironment, ValueNotTrusted, ValueUnreadable
from stepwell.store import Blob, MemoryStore
from stepwell.store.values import (
    Signer,
    Trust,
    decode,
    encode,
    store_id,
    trust,
    trusted_stores,
)

RunProgram = Callable[..., str]


class Trap:
    """Runs something when it is unpickled."""

    sprung: ClassVar[list[str]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return self.sprung.append, ("loaded",)


def test_an_unsigned_pickle_is_not_loaded() -> None:
    """Without a signature of this user a pickle is not even opened."""
    blob = encode(Trap())
    with pytest.raises(ValueNotTrusted, match=r"is not signed.*accept_unsigned=True"):
        decode(blob, trust=Trust(Signer.of_user()))
    assert Trap.sprung == []


def test_a_foreign_signature_is_not_enough(signer: Signer) -> None:
    """Somebody else's signature is as good as none."""
    blob = encode(Trap(), signer=Signer(b"of somebody else"))
    with pytest.raises(ValueNotTrusted, match="signed by somebody else"):
        decode(blob, trust=Trust(signer))
    assert Trap.sprung == []


def test_a_signature_belongs_to_one_value(signer: Signer) -> None:
    """A signature moved to another pickle does not make it trusted."""
    mine = encode(object(), signer=signer)
    theirs = structs.replace(encode(Trap()), signature=mine.signature)
    with pytest.raises(ValueNotTrusted):
        decode(theirs, trust=Trust(signer))


def test_a_pickle_cannot_pass_for_something_else(signer: Signer) -> None:
    """Another codec's name on a pickle's bytes is damage, not a way in."""
    blob = structs.replace(encode(Trap(), signer=signer), codec="data")
    with pytest.raises(ValueUnreadable):
        decode(blob, trust=Trust(signer))
    assert Trap.sprung == []


def test_a_key_is_made_once_and_is_private(data_directory: Path) -> None:
    """The key lies in Jupyter's data directory, readable by its user alone."""
    assert Signer.of_user() == Signer.of_user()
    file = data_directory / "stepwell_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in data_directory.iterdir()] == ["stepwell_secret"]
    assert "key" not in repr(Signer.of_user())


def test_a_key_open_to_others_is_closed(data_directory: Path) -> None:
    """A key that others may read is made private again."""
    Signer.of_user()
    file = data_directory / "stepwell_secret"
    file.chmod(0o644)
    Signer.of_user()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_a_key(
    data_directory: Path, run_program: RunProgram
) -> None:
    """Many processes that need a key at once end up with the same one."""
    program = """
import os, sys
from stepwell.store.values import Signer
children = []
ready, go = os.pipe()
for _ in range(8):
    mine, theirs = os.pipe()
    if not os.fork():
        os.close(go)
        os.read(ready, 1)
        os.write(theirs, Signer.of_user().key.hex().encode())
        os._exit(0)
    os.close(theirs)
    children.append(mine)
os.close(go)
print(len({os.read(child, 100) for child in children}))
"""
    assert run_program(program).strip() == "1"
    assert [path.name for path in data_directory.iterdir()] == ["stepwell_secret"]


def test_another_process_of_the_user_reads_the_pickle(run_program: RunProgram) -> None:
    """What one process of a user pickled, the next one loads."""
    blob = encode(lambda: "mine", signer=Signer.of_user())
    program = """
import sys
from stepwell.store.values import Signer, Trust, decode
blob = eval(sys.argv[1], {"Blob": __import__("stepwell.store").store.Blob})
print(decode(blob, trust=Trust(Signer.of_user()))())
"""
    assert run_program(program, repr(blob)).strip() == "mine"


def test_a_key_may_be_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable names another file."""
    monkeypatch.setenv("STEPWELL_SECRET_FILE", str(tmp_path / "keys" / "mine"))
    Signer.of_user()
    assert (tmp_path / "keys" / "mine").exists()


@pytest.mark.parametrize("content", ["", "not hexadecimal", "abcd"])
def test_a_damaged_key_is_an_error(data_directory: Path, content: str) -> None:
    """A key file with something else in it is not silently replaced."""
    data_directory.mkdir()
    (data_directory / "stepwell_secret").write_text(content)
    with pytest.raises(UnsupportedEnvironment, match="stepwell_secret is not a key"):
        Signer.of_user()


def test_a_key_that_cannot_be_kept_is_an_error(data_directory: Path) -> None:
    """Where no key can be written, the message says what to set."""
    data_directory.write_text("a file where a folder should be")
    with pytest.raises(UnsupportedEnvironment, match="STEPWELL_SECRET_FILE"):
        Signer.of_user()


def test_a_store_can_be_trusted() -> None:
    """The message says how to trust a store, and doing that makes its values readable."""
    store = MemoryStore()
    blob = encode({"a": len}, signer=Signer(b"a colleague's key"))
    with pytest.raises(ValueNotTrusted) as caught:
        decode(blob, trust=Trust.of_user(store))
    assert f"trust({store_id(store)!r})" in str(caught.value)
    trust(store_id(store))
    assert trusted_stores() == {store_id(store)}
    assert decode(blob, trust=Trust.of_user(store)) == {"a": len}
    with pytest.raises(ValueNotTrusted):
        decode(blob, trust=Trust.of_user(MemoryStore()))
    store.close()


def test_trust_is_added_to_and_kept_whole(data_directory: Path) -> None:
    """Trusting a second store keeps the first; a damaged list is an error."""
    trust("one")
    trust("two")
    assert trusted_stores() == {"one", "two"}
    with pytest.raises(InvalidUsage):
        trust("")
    (data_directory / "stepwell_trusted.json").write_text("{")
    with pytest.raises(UnsupportedEnvironment, match="trust the stores again"):
        trusted_stores()


def test_an_untrusted_value_imports_nothing(
    models: ModuleType, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is not loaded is imported for a trusted value only."""
    blob = encode(models.Point(1), signer=signer)
    monkeypatch.delitem(sys.modules, "models_of_mine")
    with pytest.raises(ValueNotTrusted, match="models_of_mine"):
        decode(structs.replace(blob, signature=""))
    assert "models_of_mine" not in sys.modules
    assert type(decode(blob, trust=Trust(signer))).__name__ == "Point"


def test_a_class_that_is_loaded_needs_no_trust(models: ModuleType) -> None:
    """A dataclass whose module is there is read from any store: nothing runs."""
    assert decode(encode(models.Point(1))) == models.Point(1)


def forged(payload: bytes, codec: str = "data") -> Blob:
    """A blob as an attacker would make it, digest and all."""
    from stepwell.store.values._pack import digest_of

    return Blob(digest_of(codec, payload), codec, "dict", len(payload), "", payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"$":"defaultdict","v":["subprocess:Popen",[]]}',
        b'{"$":"dataclass","v":["os:system",{}]}',
        b'{"$":"enum","v":["builtins:print","x"]}',
        b'{"$":"subclass","v":["builtins:type","str","x",[{},{}]]}',
        b'{"$":"namedtuple","v":["builtins:tuple",[1]]}',
        b'{"$":"model","v":["builtins:object",{},[]]}',
        b'{"$":"unheard of","v":1}',
        b'{"$":"tuple"}',
        b'{"$":"range","v":["a"]}',
        b"[" * 2000,
        b"{",
    ],
)
def test_forged_data_is_refused(payload: bytes) -> None:
    """Data that was made up is refused, whatever classes it names."""
    with pytest.raises((ValueUnreadable, ValueNotTrusted)):
        decode(forged(payload))


def test_a_default_factory_of_others_is_not_taken_over(models: ModuleType) -> None:
    """A factory is called later by whoever reads the dict: it needs trust."""
    later: defaultdict[str, Any] = defaultdict(models.Names)
    blob = encode(later)
    with pytest.raises(ValueNotTrusted):
        decode(blob)


def test_a_pickle_is_what_it_says(signer: Signer) -> None:
    """A pickle that fails to load is unreadable, with what it said."""
    payload = pickle.dumps(Trap)[:-3] + b"xx."
    blob = forged(payload, "pickle")
    signed = structs.replace(blob, signature=signer.sign("pickle", blob.digest))
    with pytest.raises(ValueUnreadable):
        decode(signed, trust=Trust(signer))


def test_the_user_of_the_test_is_not_touched(data_directory: Path) -> None:
    """Tests use a data directory of their own."""
    assert os.environ["JUPYTER_DATA_DIR"] == str(data_directory)
