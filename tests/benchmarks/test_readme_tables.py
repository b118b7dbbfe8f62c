"""The tables of the README and of the benchmarks' page are those of the result files."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, make_result, write_result
from benchmarks.readme_tables import PAGES, app, filled


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rows = [
        {"part": "speed", "what": "a|b", "µs": 1234.5, "share": 99.996, "share std": 0.012, "each": [1, 2]},
        {"part": "speed", "what": "c", "µs": None, "share": 3.0, "share std": None, "each": []},
        {"part": "counts", "what": "d", "trees": 10_000},
    ]
    claims = [Claim.at_least("share at least", 99.996, 100.0, "%"), Claim.at_most("time", None, 6.0, "s")]
    write_result(make_result("toy", {"count": 3}, seeds=[0, 1], rows=rows, claims=claims), tmp_path / "toy.json")
    return tmp_path


def page(*lines: str) -> str:
    return "\n".join(["# title", *lines, "after"]) + "\n"


@pytest.mark.parametrize("page_path", PAGES, ids=lambda path: path.parent.name)
def test_pages_agree_with_the_result_files(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    assert filled(text, RESULTS) == text, "run `python -m benchmarks.readme_tables`"


def test_part_is_filled_in(results: Path) -> None:
    text = filled(page("<!-- table: toy.speed -->", "old", "<!-- end -->"), results)
    lines = text.splitlines()
    assert lines[:7] == [
        "# title",
        "<!-- table: toy.speed -->",
        "",
        "| what | µs | share |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1,234 | 100.00 ± 0.012 |",
        "| c | – | 3.00 |",
    ]
    assert "python -m benchmarks.toy --count 3" in text
    assert "seeds 0, 1" in text
    assert "old" not in text
    assert lines[-2:] == ["<!-- end -->", "after"]


def test_table_without_part_is_the_first(results: Path) -> None:
    first = filled(page("<!-- table: toy -->", "<!-- end -->"), results)
    assert first.replace("toy ", "toy.speed ", 1) == filled(page("<!-- table: toy.speed -->", "<!-- end -->"), results)


def test_claims_are_a_table(results: Path) -> None:
    text = filled(page("<!-- table: toy.claims -->", "<!-- end -->"), results)
    assert "| share at least | 100.00 % | 100.00 % | no |" in text
    assert "| time | – | 6.00 s | not measured |" in text


def test_claims_of_several_files_are_one_table(results: Path) -> None:
    other = make_result("other", {}, seeds=[0], rows=[{"a": 1}], claims=[Claim.at_most("size", 3.0, 4.0, "kB")])
    write_result(other, results / "other.json")
    text = filled(page("<!-- claims: toy, other -->", "stale", "<!-- end -->"), results)
    assert "| share at least | 100.00 % | 100.00 % | no | `toy` |" in text
    assert "| size | 3.00 kB | 4.00 kB | yes | `other` |" in text
    assert text.count("| claim |") == 1
    assert "stale" not in text


def test_one_column_is_laid_on_its_side(results: Path) -> None:
    rows = [
        {"part": "methods", "name": "ours, run seed 10", "test %": 43.0, "test % std": 0.5},
        {"part": "methods", "name": "ours, run seed 2", "test %": 30.0, "test % std": 0.25},
        {"part": "methods", "name": "alone", "test %": 18.0, "test % std": 0.125},
    ]
    write_result(make_result("pair", {}, seeds=[4, 5], rows=rows, claims=[]), results / "pair.json")
    text = filled(page("<!-- row: pair.methods, test %: alone; ours -->", "stale", "<!-- end -->"), results)
    assert text.splitlines()[3:6] == [
        "|  | alone | ours, run seeds 2, 10 |",
        "| --- | ---: | ---: |",
        "| test % | 18.00 ± 0.12 | 30.00 ± 0.25, 43.00 ± 0.50 |",
    ]
    assert "seeds 4, 5" in text
    assert "stale" not in text
    assert filled(text, results) == text


def test_filling_twice_changes_nothing(results: Path) -> None:
    once = filled(
        page("<!-- table: toy.counts -->", "<!-- end -->", "between", "<!-- table: toy -->", "<!-- end -->"), results
    )
    assert filled(once, results) == once
    assert "| d | 10,000 |" in once
    assert "between" in once


def test_what_was_not_run_is_not_passed_over(results: Path) -> None:
    text = filled(page("<!-- table: digits -->", "<!-- end -->"), results)
    assert "Not measured yet: `python -m benchmarks.digits`." in text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["<!-- table: toy -->"], "no `<!-- end -->`"),
        (["<!-- table: toy -->", "<!-- table: toy -->", "<!-- end -->"], "begins before"),
        (["<!-- table: none -->", "<!-- end -->"], "nor a benchmark of this name"),
        (["<!-- table: toy.none -->", "<!-- end -->"], "no part `none`, but speed, counts, claims"),
        (["<!-- table toy -->", "<!-- end -->"], "is no marker"),
        (["<!-- table: toy, digits -->", "<!-- end -->"], "is no table"),
        (["<!-- claims: toy, none -->", "<!-- end -->"], "there is no .*none.json"),
        (["<!-- row: toy -->", "<!-- end -->"], "is no row"),
        (["<!-- row: none.speed, share: c -->", "<!-- end -->"], "there is no .*none.json"),
        (["<!-- row: toy.speed, size: c -->", "<!-- end -->"], "no column `size`"),
        (["<!-- row: toy.speed, share: z -->", "<!-- end -->"], "no row `z` in `speed`"),
        (["<!-- rows: toy.speed, share: c -->", "<!-- end -->"], "is no marker"),
    ],
)
def test_bad_marker_is_named(results: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        filled(page(*lines), results)


def test_check_changes_nothing_and_writing_mends(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    before = page("<!-- table: toy -->", "<!-- end -->")
    readme.write_text(before)
    call = ["--readme", str(readme), "--results", str(results)]
    run = CliRunner().invoke
    assert run(app, [*call, "--check"]).exit_code == 1
    assert readme.read_text() == before
    assert run(app, call).exit_code == 0
    assert run(app, [*call, "--check"]).exit_code == 0
    readme.write_text(page("<!-- table: toy -->"))
    assert run(app, call).exit_code == 2
