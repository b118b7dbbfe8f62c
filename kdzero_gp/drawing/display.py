"""The display hook of trees in notebooks."""

from kdzero_gp.grammar.tree import Tree


def _svg(tree: Tree) -> str:
    """Draws a tree, for notebooks."""
    from kdzero_gp.drawing.render import svg  # only here: what only wants a loss need not load Graphviz

    return svg(tree)


def draw_in_notebooks() -> None:
    """Gives trees the display method of notebooks."""
    Tree._repr_svg_ = _svg
