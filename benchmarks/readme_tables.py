"""Fills the result tables of the two README pages from the result files, so that they cannot differ.

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->`. NAME is `trees.screening` for those rows of
`benchmarks/results/trees.json` whose `part` is `screening`, `trees.claims` for the claims, and `trees` for the first
part. `<!-- claims: trees, engine -->` begins one table of the claims of several files. `<!-- row: NAME, COLUMN: a; b
-->` begins a table of one line, the values of one column for the rows called a and b; rows `a, run seed 0`, `a, run
seed 1`, … share a cell. Where a script has not been run yet, a line says so.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness.checkout import RESULTS, ROOT, has_benchmark
from benchmarks.harness.result import Result, read_result
from benchmarks.harness.table import Table, claims_table, make_table

BEGIN = re.compile(r"<!-- (?:(table|claims): ([a-z0-9_., ]+)|(row): ([^<>]+)) -->")
NAME = re.compile(r"([a-z0-9_]+)(?:\.([a-z0-9_]+))?")
ROW = re.compile(r"([a-z0-9_]+)\.([a-z0-9_]+), ([^:;]+): (.+)")
SEEDED = re.compile(r", run seed (\d+)")
END = "<!-- end -->"
PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def filled(readme: str, results: Path) -> str:
    """The README's text with every marked table made anew.

    Raises:
        ValueError: a marker without its end, or one that names a result file or part that is not there.
    """
    lines: list[str] = []
    inside: str | None = None
    for number, line in enumerate(readme.splitlines(), 1):
        begin = BEGIN.fullmatch(line.strip())
        if begin and inside is not None:
            raise ValueError(f"line {number}: `{line.strip()}` begins before `{inside}` has its `{END}`")
        if begin:
            inside = line.strip()
            lines += [line, *_filling(begin[1] or begin[3], begin[2] or begin[4], results, number)]
        elif line.strip() == END:
            inside = None
            lines.append(line)
        elif re.search(r"<!-- (table|claims|rows?)", line):
            raise ValueError(
                f"line {number}: `{line.strip()}` is no marker; write <!-- table: NAME -->, <!-- claims: NAME, NAME -->"
                " or <!-- row: NAME.PART, COLUMN: ROW; ROW --> alone on a line"
            )
        elif inside is None:
            lines.append(line)
    if inside is not None:
        raise ValueError(f"`{inside}` has no `{END}`")
    return "\n".join(lines) + ("\n" if readme.endswith("\n") else "")


def markdown(table: Table) -> list[str]:
    """The lines of a Markdown table."""
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [table.columns, rule, *table.cells]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def origin(result: Result) -> str:
    """Where the numbers come from, in one line."""
    seeds = ", ".join(map(str, result.seeds))
    commit = result.commit[:10] + ("-dirty" if result.commit.endswith("-dirty") else "")
    return f"<sub>`{result.command}` · {result.hardware} · seeds {seeds} · commit {commit} · {result.date[:10]}</sub>"


def _filling(kind: str, names: str, results: Path, number: int) -> list[str]:
    if kind == "claims":
        return _all_claims([name.strip() for name in names.split(",")], results, number)
    if kind == "row":
        return _one_row(names, results, number)
    name = NAME.fullmatch(names.strip())
    if name is None:
        raise ValueError(f"line {number}: `{names}` is no table; write NAME or NAME.PART")
    return _section(name[1], name[2], results, number)


def _all_claims(names: list[str], results: Path, number: int) -> list[str]:
    """One table of several files' claims, each with its script."""
    cells: list[tuple[str, ...]] = []
    for name in names:
        path = results / f"{name}.json"
        if not path.is_file():
            raise ValueError(f"line {number}: there is no {path}; run python -m benchmarks.{name}")
        cells += [(*claim, f"`{name}`") for claim in claims_table(read_result(path).claims).cells]
    columns = ("claim", "measured", "target", "holds", "script")
    return ["", *markdown(Table(columns, (False, True, True, False, False), tuple(cells))), ""]


def _one_row(text: str, results: Path, number: int) -> list[str]:
    """One column of a table, laid on its side."""
    wanted = ROW.fullmatch(text)
    if wanted is None:
        raise ValueError(f"line {number}: `{text}` is no row; write NAME.PART, COLUMN: ROW; ROW")
    benchmark, part, column, names = wanted.groups()
    path = results / f"{benchmark}.json"
    if not path.is_file():
        raise ValueError(f"line {number}: there is no {path}; run python -m benchmarks.{benchmark}")
    result = read_result(path)
    table = make_table(result.part(part))
    if column not in table.columns:
        raise ValueError(f"line {number}: {path.name} has no column `{column}` in `{part}`, but {table.columns}")
    values = {cells[0]: cells[table.columns.index(column)] for cells in table.cells}
    titles, cells = [""], [column]
    for name in map(str.strip, names.split(";")):
        seeded = sorted((int(seed[1]), row) for row in values if (seed := SEEDED.fullmatch(row.removeprefix(name))))
        if name not in values and not seeded:
            raise ValueError(f"line {number}: {path.name} has no row `{name}` in `{part}`, but {', '.join(values)}")
        titles.append(f"{name}, run seeds {', '.join(str(seed) for seed, _ in seeded)}" if seeded else name)
        cells.append(", ".join(values[row] for _, row in seeded) if seeded else values[name])
    numeric = (False, *(True for _ in cells[1:]))
    return ["", *markdown(Table(tuple(titles), numeric, (tuple(cells),))), "", origin(result), ""]


def _section(benchmark: str, part: str | None, results: Path, number: int) -> list[str]:
    path = results / f"{benchmark}.json"
    if not path.is_file():
        if not has_benchmark(benchmark):
            raise ValueError(f"line {number}: there is neither a {path} nor a benchmark of this name")
        return ["", f"Not measured yet: `python -m benchmarks.{benchmark}`.", ""]
    result = read_result(path)
    if part == "claims":
        table = claims_table(result.claims)
    else:
        rows = result.part(part) if part else result.parts()[0]
        if not rows:
            known = ", ".join([*(str(some[0].get("part")) for some in result.parts()), "claims"])
            raise ValueError(f"line {number}: {path.name} has no part `{part}`, but {known}")
        table = make_table(rows)
    return ["", *markdown(table), "", origin(result), ""]


@app.command()
def main(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if a table differs.")] = False,
    readme: Annotated[
        list[Path] | None, typer.Option(help="A page to fill; by default the README's and the benchmarks'.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the result files.")] = RESULTS,
) -> None:
    """Fill the tables of the README pages from benchmarks/results."""
    differing = [page for page in readme or PAGES if _fill(page, results, check=check)]
    if check and differing:
        raise typer.Exit(1)


def _fill(page: Path, results: Path, *, check: bool) -> bool:
    """Whether a page's tables differed from the result files."""
    before = page.read_text(encoding="utf-8")
    try:
        after = filled(before, results)
    except ValueError as error:
        typer.echo(f"error: {page}: {error}", err=True)
        raise typer.Exit(2) from None
    if after == before:
        typer.echo(f"{page}: the tables agree with the result files")
    elif check:
        typer.echo(f"{page}: tables differ from the result files; run python -m benchmarks.readme_tables", err=True)
    else:
        page.write_text(after, encoding="utf-8")
        typer.echo(f"{page}: tables written")
    return after != before


if __name__ == "__main__":
    app()
