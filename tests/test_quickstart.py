"""The quickstart: its search and its model do what they say, and the notebook runs."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import stepwell
from quickstart import (
    LIBRARY,
    LocalModel,
    build_index,
    cited,
    prompts,
    read_articles,
    source_table,
    to_markdown,
)
from stepwell.headless import run_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TOPIC = "heating an old house without gas"

Cell = dict[str, Any]


def cells(notebook: Path) -> list[Cell]:
    """A notebook's cells as they stand in the file."""
    return json.loads(notebook.read_text("utf-8"))["cells"]


def source(cell: Cell) -> str:
    """A cell's text."""
    return "".join(cell["source"])


def shown(notebook: Path, mime: str) -> list[str]:
    """Everything of one kind that the notebook's cells show, in order."""
    outputs = (output for cell in cells(notebook) for output in cell.get("outputs", []))
    data = (output.get("data", {}) for output in outputs)
    return ["".join(bundle[mime]) for bundle in data if mime in bundle]


def ask(prompt: str) -> str:
    """The model's reply, without waiting."""
    return anyio.run(partial(LocalModel(seconds=0).complete, prompt)).text


def drafted() -> dict[str, str]:
    """Questions on the topic with a first answer to each."""
    index = build_index(read_articles())
    planned = ask(prompts.questions(TOPIC, index.search(TOPIC, 12, per_article=1), 5))
    return {
        question: ask(prompts.answer(question, index.search(question, 5)))
        for question in planned.splitlines()
    }


def test_search_finds_the_article_that_knows() -> None:
    """A rare word leads to the one article that has it."""
    best, *_ = build_index(read_articles()).search("Where does legionella grow?")
    assert best.source == "hot-water-at-home"
    assert "Legionella" in best.text


def test_search_takes_few_paragraphs_from_one_article() -> None:
    """A long article cannot crowd out the others."""
    found = build_index(read_articles()).search("heat pumps", limit=10, per_article=1)
    assert len({passage.source for passage in found}) == len(found) == 10


def test_folder_without_articles_is_an_error_that_names_it(tmp_path: Path) -> None:
    """An empty library is noticed where it is read, not as an empty report."""
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        read_articles(tmp_path)


def test_model_answers_the_same_prompt_with_the_same_text() -> None:
    """Nothing in the stand-in depends on chance or on the order of a set."""
    assert drafted() == drafted()


def test_model_makes_nothing_up() -> None:
    """Each sentence of an answer stands in the article that it cites."""
    articles = read_articles()
    for answer in drafted().values():
        for sentence, name in re.findall(r"(\S.*?) \[([\w-]+)\]", answer):
            assert sentence.lstrip(".!? ") in articles[name]


def test_revision_mends_what_the_critique_found() -> None:
    """An answer that rested on one source cites more after its revision, and keeps its text."""
    index = build_index(read_articles())
    answers = drafted()
    weak = [line.partition(": ") for line in ask(prompts.critique(answers)).splitlines()]
    assert weak
    for number, _, remark in weak:
        question, draft = list(answers.items())[int(number) - 1]
        wider = index.search(question, 10, per_article=2)
        revised = ask(prompts.better_answer(question, draft, remark, wider))
        assert revised.startswith(draft)
        assert len(set(cited(revised))) > len(set(cited(draft)))


def test_model_says_what_it_cannot_do() -> None:
    """A prompt of another kind is refused with the tasks there are."""
    with pytest.raises(ValueError, match=r"'Translate'.*Plan, Answer"):
        ask("Translate: into French")


def test_report_numbers_its_sources_and_the_table_counts_them() -> None:
    """Every citation has its line under Sources, and every sentence is counted."""
    answers = drafted()
    report = to_markdown(TOPIC, "In short.", answers)
    body, _, sources = report.partition("### Sources")
    numbers = set(re.findall(r"\[(\d+)\]", body))
    assert numbers == set(re.findall(r"^(\d+)\.", sources, re.MULTILINE))
    counted = source_table(answers)["sentences"].sum()
    assert counted == sum(len(cited(answer)) for answer in answers.values())


def test_articles_are_short_and_have_a_title() -> None:
    """Each article is a title and a few paragraphs: a page to read, not a book."""
    for file in LIBRARY.glob("*.txt"):
        title, _, text = file.read_text("utf-8").partition("\n\n")
        assert "\n" not in title
        assert 150 <= len(text.split()) <= 400, file.name


def test_notebook_is_shipped_clean() -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    notebook = NOTEBOOKS / "quickstart.ipynb"
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells(notebook)}) == len(cells(notebook))
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert [source(cell).startswith("topic = ") for cell in tagged] == [True]


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """A copy of the notebook with its library, to be run."""
    shutil.copytree(NOTEBOOKS / "quickstart", tmp_path / "quickstart")
    shutil.copy(NOTEBOOKS / "quickstart.ipynb", tmp_path)
    return tmp_path / "quickstart.ipynb"


def test_quickstart_runs_and_its_second_run_repeats_nothing(quickstart: Path) -> None:
    """The report, the table and the plot come out; a second run answers from the store."""
    executed = quickstart.with_name("quickstart.executed.ipynb")
    reports: list[str] = []
    for _ in range(2):
        result = run_notebook(quickstart, parameters={"seconds_per_request": 0})
        assert result.exit_code == 0, result.message
        reports += shown(executed, "text/markdown")
        assert shown(executed, "image/png")
    first, second = reports
    assert first == second
    assert first.startswith("## Heating an old house without gas")

    store = quickstart.parent / ".stepwell" / "quickstart.duckdb"
    with stepwell.open(store) as reader:
        counted = reader.sql("select step, count(*) from attempts group by step").fetchall()
    # `library` reads the folder each time; what it read was the same.
    assert dict(counted) == {
        "library": 2,
        **dict.fromkeys(("index", "plan", "search", "draft", "critique", "revise", "report"), 1),
    }
