"""Tables of other files on a page of the site, so that each number has one place.

    <!-- table of benchmarks/README.md after "40 % of the labels" without "runs" -->

is replaced by the first table after these words, without the columns of that name.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMENT = r'<!-- table of (\S+) after "([^"]+)"(?: without "([^"]+)")? -->'


def on_page_markdown(markdown, **kwargs):
    return re.sub(COMMENT, table, markdown)


def table(match):
    """The rows of the table that the comment names."""
    name, words, left_out = match.groups()
    _, found, after = (ROOT / name).read_text(encoding="utf-8").partition(words)
    lines = re.search(r"(?:^\|.*\|\n)+", after, re.M)
    if not found or lines is None:
        raise ValueError(f"A page shows a table that is not there. Received: {match[0]}")
    rows = [line.strip("|").split("|") for line in lines[0].splitlines()]
    kept = [i for i, title in enumerate(rows[0]) if title.strip() != left_out]
    return "\n".join("|" + "|".join(row[i] for i in kept) + "|" for row in rows)
