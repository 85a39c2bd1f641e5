"""What a validation found: for people, for programs, and as JUnit for other people's CI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pywnv.validate import FIRST, Difference, Result
from pywnv.validate.own import Own, known
from pywnv.validate.truth import Measure
from pywnv.version import __version__
from pywnv.wireshark.folders import find_folders
from pywnv.wireshark.probe import find_plugins
from pywnv.wireshark.tshark import find_tshark, version
from pywnv.words import count, one_line

if TYPE_CHECKING:
    from rich.console import Console

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Setting:
    """What is validated, and by which measure.

    Attributes:
        wireshark: its version, as "4.4.1".
        plugin: which plugin it loads, in words.
        least_precision: with which a measure passes.
        least_recall: with which a measure passes.
    """

    wireshark: str
    plugin: str
    least_precision: float
    least_recall: float

    def passes(self, result: Result) -> bool:
        """Whether a capture passes."""
        return not any(map(self.complaint, result.measures))

    def complaint(self, measure: Measure) -> str:
        """What a measure lacks, in words; nothing where it passes."""
        lacks = [
            f"{name} of {measure.what} {share(found)}, wanted {least:g}"
            for name, found, least in (
                ("precision", measure.precision, self.least_precision),
                ("recall", measure.recall, self.least_recall),
            )
            if found < least
        ]
        return "; ".join(lacks)


def setting(least_precision: float, least_recall: float) -> Setting:
    """The installed Wireshark, and the plugin that it loads.

    Raises:
        WiresharkError: there is no tshark, or it names no folders.
    """
    tshark = find_tshark()
    installed = next(find_plugins(find_folders(tshark).searched), None)
    plugin = f"the plugin of pywnv {__version__}"
    if installed:
        path, made_by = installed
        plugin = f"the plugin {path}, which is installed, of pywnv {made_by or 'unknown'}"
    return Setting(".".join(map(str, version(tshark))), plugin, least_precision, least_recall)


def share(value: float) -> str:
    """A precision or recall for people: nothing below 1 reads as 1."""
    return f"{int(value * 100_000) / 100_000:g}"


def render(result: Result, about: Setting, console: Console) -> None:
    """Shows people what was found in one capture."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    def line(words: str, *, indent: int = 2, style: str = "") -> None:
        console.print(Padding(Text(words, style), (0, 0, 0, indent), expand=False))

    console.print(Text(one_line(result.capture), "bold"))
    judged = "" if result.judged == result.frames else f" ({result.judged} in the truth)"
    line(f"{count(result.frames, 'frame')}{judged}, as Wireshark {about.wireshark} shows them with {about.plugin}")
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), collapse_padding=True)
    table.add_column("what")
    for name in ("right", "shown", "true", "precision", "recall"):
        table.add_column(name, justify="right")
    for one in result.measures:
        style = "red" if about.complaint(one) else ""
        numbers = (str(one.right), str(one.said), str(one.true), share(one.precision), share(one.recall))
        table.add_row("pairs of one packet" if one.what == "packets" else one.what, *numbers, style=style)
    console.print(Padding(table, (0, 0, 0, 2), expand=False))
    for difference in result.differences:
        line(_words(difference))
        for reason in difference.why:
            line(reason, indent=6, style="dim")
    if result.differing > len({difference.frame for difference in result.differences}):
        line(f"{result.differing} frames differ in all.")
    for words in own_lines([result], about):
        line(words)


def sample_line(name: str, shows: str, result: Result, about: Setting) -> str:
    """One line of a sample: whether it works here, or what does not."""
    if about.passes(result):
        return f"ok     {name}: {shows}"
    lacks = "; ".join(filter(None, map(about.complaint, result.measures)))
    first = f"; {_words(result.differences[0])}" if result.differences else ""
    return f"wrong  {name}: {lacks}{first}"


def _words(difference: Difference) -> str:
    return f"Frame {difference.frame} is {difference.words}"


def own_lines(results: Sequence[Result], about: Setting) -> Iterator[str]:
    """What Wireshark's own means say, of all captures together."""
    if not known():
        yield f"Wireshark {about.wireshark} has no duplicate detection or deinterlacing of its own to compare with."
    for preference in known():
        found = [one for result in results for one in result.own if one.preference == preference]
        ours, theirs = sum(one.ours for one in found), sum(one.theirs for one in found)
        words = f"Wireshark's own {preference} differs from the plugin in {ours + theirs} frames"
        if ours + theirs:
            words += f": the truth says that the plugin is right in {ours}, Wireshark in {theirs}"
        named = [f"{number}" for one in found for number in one.first][:FIRST] if len(results) == 1 else []
        yield words + (f" (frames {', '.join(named)})" if named else "") + "."


def as_json(results: Sequence[Result], about: Setting) -> str:
    """What was found for programs."""
    captures = [
        asdict(result)
        | {
            "passed": about.passes(result),
            "measures": {one.what: _numbers(one) for one in result.measures},
            "own": {one.preference: _own(one) for one in result.own},
        }
        for result in results
    ]
    data = asdict(about) | {"passed": all(map(about.passes, results)), "captures": captures}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _numbers(measure: Measure) -> Mapping[str, object]:
    counts = {"right": measure.right, "shown": measure.said, "true": measure.true}
    return counts | {"precision": measure.precision, "recall": measure.recall}


def _own(one: Own) -> Mapping[str, object]:
    return {"frames": one.frames, "plugin_right": one.ours, "wireshark_right": one.theirs, "first": one.first}


def junit(results: Sequence[Result], about: Setting) -> bytes:
    """What was found as JUnit XML: one suite for each capture, one case for each measure."""
    root = ElementTree.Element("testsuites", name="pywnv validate")
    for result in results:
        failed = sum(bool(about.complaint(one)) for one in result.measures)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_xml(result.capture),
            tests=str(len(result.measures)),
            failures=str(failed),
            errors="0",
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("wireshark", about.wireshark), ("plugin", about.plugin), ("truth", result.truth)):
            ElementTree.SubElement(properties, "property", name=name, value=_xml(value))
        for one in result.measures:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(result.capture), name=one.what)
            if complaint := about.complaint(one):
                failure = ElementTree.SubElement(case, "failure", type="difference", message=complaint)
                lines = [line for found in result.differences for line in (_words(found), *found.why)]
                failure.text = _xml("\n".join(lines))
        ElementTree.SubElement(suite, "system-out").text = _xml("\n".join(own_lines([result], about)))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _xml(text: str) -> str:
    """A text without the characters that XML knows no way to write."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
