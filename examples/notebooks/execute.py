"""Executes notebooks and keeps their outputs, without times and what goes to stderr.

python examples/notebooks/execute.py examples/notebooks/*.ipynb
"""

import sys
from pathlib import Path

import nbclient
import nbformat


def executed(path, folder):
    """The notebook of a file, run from top to bottom in a folder."""
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=3600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def main(paths):
    for path in map(Path, paths):
        notebook = executed(path, path.parent)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        notebook.metadata.language_info = {"name": "python"}
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
