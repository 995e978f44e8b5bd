"""Docstrings as Keras writes them, for mkdocstrings: "Example:" and "Reference:".

Its parser knows the other sections. An example is one of `doctest`, whose prompts a reader
does not want to copy; a reference is an indented list.
"""

import re

import griffe

EXAMPLE = r"^Example:(.*(?:\n.+)*)\n\n(>>> .*\n(?:.+\n)*)"
REFERENCE = r"^Reference:\n((?:    .*\n)+)"
NAME = r"(?<!\[)`(keras_sam(?:\.\w+)+)`"


class Sections(griffe.Extension):
    """Makes Markdown of what the parser does not know."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text):
    text = re.sub(EXAMPLE, _example, text + "\n", flags=re.M)
    text = re.sub(REFERENCE, _reference, text, flags=re.M)
    return re.sub(NAME, r"[`\1`][\1]", text).rstrip()


def _example(match):
    lines = [_line(line) for line in match[2].splitlines()]
    return "\n".join([f"**Example**{match[1]}", "", "```python", *lines, "```", ""])


def _line(line):
    """A line of code without its prompt; a line of output as a comment."""
    return line[4:] if line.startswith((">>>", "...")) else f"# {line}"


def _reference(match):
    return "**Reference**\n\n" + re.sub("^    ", "", match[1], flags=re.M)
