"""Trees draw themselves in notebooks: the hook that the grammar, which stands below the drawing, does without."""

from kdzero_gp.grammar.tree import Tree


def _svg(tree: Tree) -> str:
    """Gives the drawing, for notebooks."""
    from kdzero_gp.drawing.render import svg  # only here: what only wants a loss need not load Graphviz

    return svg(tree)


def draw_in_notebooks() -> None:
    """Gives trees the method that notebooks ask for."""
    Tree._repr_svg_ = _svg
