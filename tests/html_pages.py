"""What is in an HTML page, read by the standard library's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "link", "meta", "path", "circle", "rect"}


@dataclass(eq=False)
class Element:
    """One element and all text in it; equal to itself alone."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[Element, ...] = field(repr=False)
    text: str = ""

    def has(self, tag: str) -> bool:
        return any(outer.tag == tag for outer in self.inside)


@dataclass
class Page(HTMLParser):
    """All elements of a page in order; wrong nesting is an error."""

    elements: list[Element] = field(default_factory=list, repr=False)
    open: list[Element] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(self.open))
        self.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in _VOID, tag

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def tables(self) -> dict[str, dict[str, list[str]]]:
        """By caption, by name of the row, the words of every cell."""
        found: dict[str, dict[str, list[str]]] = {}
        for table in self.all("table"):
            (caption,) = (element for element in self.all("caption") if table in element.inside)
            rows = found.setdefault(caption.text, {})
            for row in self.all("tr"):
                cells = [element for element in self.all("th", "td") if row in element.inside]
                if table in row.inside and row.has("tbody"):
                    rows[cells[0].text] = [" ".join(cell.text.split()) for cell in cells[1:]]
        return found


def read_page(text: str) -> Page:
    """Parse a page and check that everything opened is closed."""
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, [element.tag for element in page.open]
    return page
