"""What the engine says, as words for people: hops in a column, marks in the packet list, sentences of comments."""

from __future__ import annotations

import pytest
from modules import RUNTIMES, literal, module, plain

from pywnv.lua.quoting import lua_literal
from pywnv.words import one_line

PACER = "filter pacer.sys {} on Ethernet 2"
TCPIP = "protocol tcpip.sys ({} - L3/L4) on Ethernet 2"
DOCK = "Realtek USB GbE Family Controller on Ethernet (dock) {}"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("vmNIC Contoso-Gst (component 4)", "vmNIC Contoso-Gst (component 4)"),
        (PACER.format("Upper"), "pacer.sys Upper on Ethernet 2"),
        (PACER.format("Lower"), "pacer.sys Lower on Ethernet 2"),
        ("HV01: " + PACER.format("Lower"), "HV01: pac…ys Lower on Ethernet 2"),
        (TCPIP.format("TCP/IPv4"), "TCP/IPv4 - L3/L4 on Ethernet 2"),
        (TCPIP.format("TCP/IPv6"), "TCP/IPv6 - L3/L4 on Ethernet 2"),
        (DOCK.format("Ingress"), "Realt…ller on Ether…ock) Ingress"),
        (DOCK.format("Egress"), "Realt…ller on Ether…dock) Egress"),
        ("pNIC " + "x" * 40 + " #2", "pNIC xxxxxxxxxxx…xxxxxxxxxxxx #2"),
    ],
)
def test_hops_in_a_column(runtime: str, name: str, short: str) -> None:
    said = literal(runtime, lua_literal({"hop": name}))
    assert plain(module(runtime, "words")[b"place"](said, 32)) == short
    assert len(short) <= 32


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_step_names_both_hops(runtime: str) -> None:
    words = module(runtime, "words")
    said = words[b"step"](DOCK.format("Ingress").encode(), b"vmNIC Contoso-Gst Egress", 39)
    assert plain(said) == "Realt\u2026ock) Ingress > vmNIC\u2026o-Gst Egress"
    assert plain(words[b"step"](b"pnic0", b"team0", 39)) == "pnic0 > team0"


def test_text_keeps_to_its_line() -> None:
    assert one_line("日本語\u3000Ethernet é\u00a02") == "日本語\u3000Ethernet é\u00a02"
    assert one_line("a\r\n\x1b[31m\x9b\u2028\u202e\ufeff\udcffb") == "a\ufffd\ufffd\ufffd[31m" + "\ufffd" * 5 + "b"
