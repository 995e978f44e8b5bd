"""Docstrings as Keras writes them, for mkdocstrings: what its parser does not know.

An example is one of `doctest`, whose prompts a reader does not want to copy. A reference is
an indented list, and what is returned is a text. Names of this package become links.
"""

import re

import griffe

EXAMPLE = r"^Example:(.*(?:\n.+)*)\n\n(>>> .*\n(?:.+\n)*)"
SECTION = r"^(Returns|Reference):\n((?:    .*\n|\n(?=    ))+)"
NAME = r"(?<!\[)`(keras_sam(?:\.\w+)+)`"


class Sections(griffe.Extension):
    """Makes Markdown of such sections."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text):
    text = re.sub(EXAMPLE, _example, text + "\n", flags=re.M)
    text = re.sub(SECTION, _section, text, flags=re.M)
    return re.sub(NAME, r"[`\1`][\1]", text).rstrip()


def _example(match):
    lines = [_line(line) for line in match[2].splitlines()]
    return "\n".join([f"**Example**{match[1]}", "", "```python", *lines, "```", ""])


def _line(line):
    """A line of code without its prompt; a line of output as a comment."""
    return line[4:] if line.startswith((">>>", "...")) else f"# {line}"


def _section(match):
    title, text = match.groups()
    return f"**{title}**\n\n" + re.sub("^    ", "", text, flags=re.M)
