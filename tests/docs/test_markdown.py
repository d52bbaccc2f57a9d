import re

import pytest

from .markdown import ROOT, Block, Command, blocks, commands, pages, without_timings

PAGE = """# Title

```python
a = 1
```

```console
$ swinkit models \\
  --json
[...]
$ make test
```

```
no language
```
"""
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_blocks_know_their_line():
    first, second = blocks(PAGE)
    assert first == Block("python", "a = 1\n", 4)
    assert (second.language, second.line) == ("console", 8)


def test_a_console_block_is_commands_and_outputs():
    text = list(blocks(PAGE))[1].text
    assert list(commands(text)) == [Command("swinkit models    --json", "[...]"), Command("make test", "")]


@pytest.mark.parametrize(
    ("output", "fails"), [("error: no such file", True), ("cat 0.97", False), ("", False)]
)
def test_a_command_fails_if_an_error_is_shown(output: str, fails: bool):
    assert Command("swinkit predict x", output).fails is fails


def test_times_are_masked_and_other_numbers_are_not():
    assert (
        without_timings("cat 0.97  8.3 ms, 12s, 1,200 images/s, 28.3 M")
        == "cat 0.97  0 ms, 0s, 0 images/s, 28.3 M"
    )


@pytest.mark.parametrize(
    "page",
    [*pages(), *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"))],
    ids=lambda page: page.name,
)
def test_links_within_the_project_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
