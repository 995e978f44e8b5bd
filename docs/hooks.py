"""What mkdocs does not know: the files of this repository that are not in docs/.

Pages link to them as someone who reads them in a checkout follows it. On the site, some of
these files are pages too, and pictures and notebooks come with it. What is left leads to
the public address, or is plain text as long as there is none.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File


def public_address(metadata):
    """That of `project.urls`; empty as long as the line is a comment."""
    found = re.search('^Repository = "(.+)"$', metadata, re.M)
    return found[1] if found else ""


ROOT = Path(__file__).parents[1]
ADDRESS = public_address((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/reproduce/README.md": "recipes.md",
    "examples/reproduce/forecasting.md": "forecasting.md",
}
FOLDERS = ("benchmarks", "examples")
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for kind in ("*.png", "*.ipynb")
    for path in (ROOT / folder).rglob(kind)
]
# Code that looks like a link is none.
LINK = r"```.*?```|`[^`\n]*`|(!?)\[([^]]*)\]\((?!https?:|#)([^)\s]+)\)"


def on_config(config):
    if ADDRESS:
        config.repo_url, config.repo_name = ADDRESS, "keras_sam"


def on_files(files, config):
    others = PAGES | {name: f"files/{name}" for name in FILES}
    for name, uri in others.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))


def on_page_markdown(markdown, page, **kwargs):
    uri = page.file.src_uri
    names = {uri: name for name, uri in PAGES.items()}
    return re.sub(
        LINK,
        lambda match: linked(match, posixpath.dirname(uri), names.get(uri, f"docs/{uri}")),
        markdown,
        flags=re.S,
    )


def linked(match, folder, source):
    """A link in the file `source` to another file, on a page in `folder`."""
    if match[3] is None:
        return match[0]
    picture, words, path = match.groups()
    path, mark, anchor = path.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    here = PAGES.get(path) or (f"files/{path}" if path in FILES else None)
    here = path[len("docs/") :] if path.startswith("docs/") else here
    if here:
        return f"{picture}[{words}]({posixpath.relpath(here, folder or '.')}{mark}{anchor})"
    if ADDRESS:
        return f"{picture}[{words}]({ADDRESS}/blob/main/{path}{mark}{anchor})"
    return words if f"`{path}`" in words else f"{words} (`{path}`)"
