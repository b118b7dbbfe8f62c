"""Makes Graphviz's output fit to stand inside a page, several to a page."""

import re
import xml.etree.ElementTree as ElementTree

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SHAPES = ("path", "polygon", "ellipse")


def cleaned_drawing(text: str, *, label: str) -> str:
    """Removes version, identifiers and links from Graphviz's SVG.

    Tooltips become titles, and text is centred anew, so that a viewer with other fonts shows it in the middle of its
    node.

    Args:
        text: the SVG file Graphviz wrote.
        label: what a screen reader says in its place.
    """
    root = ElementTree.fromstring(text)
    for group in root.iter(f"{{{_SVG}}}g"):
        group.attrib.pop("id", None)
        if "node" in group.get("class", "").split():
            _settle_node(group)
        else:
            for title in group.findall(f"{{{_SVG}}}title"):
                group.remove(title)
    return _finished(root, label)


def _settle_node(group: ElementTree.Element) -> None:
    link = group.find(f"{{{_SVG}}}g/{{{_SVG}}}a")
    title = group.find(f"{{{_SVG}}}title")
    if link is not None and title is not None:
        title.text = link.get(f"{{{_XLINK}}}title", "")
        for child in list(group):
            group.remove(child)
        group.extend([title, *link])
    shapes = [child for child in group if child.tag in {f"{{{_SVG}}}{shape}" for shape in _SHAPES}]
    centre = _centre(shapes[-1]) if shapes else None
    if centre is None:
        return
    for text in group.findall(f"{{{_SVG}}}text"):
        text.set("x", centre)
        text.set("text-anchor", "middle")


def _centre(shape: ElementTree.Element) -> str | None:
    """Finds the horizontal middle of a symmetric shape."""
    if shape.get("cx"):
        return shape.get("cx")
    numbers = [float(number) for number in _NUMBER.findall(shape.get("points") or shape.get("d") or "")][::2]
    return f"{(min(numbers) + max(numbers)) / 2:.2f}" if numbers else None


def _finished(root: ElementTree.Element, label: str) -> str:
    root.set("role", "img")
    root.set("aria-label", label)
    for element in root.iter():
        element.attrib.pop("{http://www.w3.org/XML/1998/namespace}space", None)
        for name in (f"{{{_XLINK}}}title", f"{{{_XLINK}}}href"):
            element.attrib.pop(name, None)
        if element.tag.startswith(f"{{{_SVG}}}"):
            element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    root.set("xmlns", _SVG)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
