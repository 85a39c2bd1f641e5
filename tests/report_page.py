"""Takes a page of a report apart, and checks that it opens anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br"}
ALLOWED = {
    *("html", "head", "meta", "link", "title", "style", "body", "div", "nav", "p", "ol", "ul", "li", "a", "header"),
    *("main", "footer", "section", "article", "h1", "h2", "h3", "h4", "h5", "dl", "dt", "dd", "table", "caption"),
    *("thead", "tbody", "tr", "th", "td", "figure", "figcaption", "span", "b", "br", "code", "pre"),
    *("svg", "g", "path", "rect", "line", "circle", "text", "title"),
}


class Page(HTMLParser):
    """A page, taken apart; raises where it is no HTML that we would write."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.headings: list[int] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def checked(source: str) -> Page:
    """A page that opens anywhere: no script, no request, nothing that a browser would not allow."""
    made = Page(source)
    attributes = [(tag, name, value or "") for tag, found in made.tags for name, value in found.items()]
    for tag, name, value in attributes:
        assert not name.startswith("on"), name
        assert name not in ("src", "style", "srcset", "xlink:href", "action"), name
        if name == "href":
            assert value.startswith("#" if tag == "a" else "data:image/svg+xml;base64,"), value
        assert "url(" not in value
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for tag, name, value in attributes if (tag, name) == ("a", "href")} <= set(ids)
    labels = [value for _, name, value in attributes if name == "aria-labelledby"]
    assert {one for value in labels for one in value.split()} <= set(ids)
    assert len(labels) == len(set(labels))  # no two places with one name
    assert made.headings[0] == 1
    assert made.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(made.headings, made.headings[1:], strict=False))
    for tag, found in made.tags:
        if tag == "svg":
            assert found.get("aria-label") or found.get("aria-hidden") == "true"
    (policy,) = (found["content"] for _, found in made.tags if found.get("http-equiv") == "Content-Security-Policy")
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert policy == wanted
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg|http-equiv", "", source)
    return made


def sections(made: Page) -> list[str]:
    return [found["aria-labelledby"] or "" for tag, found in made.tags if tag == "section"]
