"""Run the cells of a document in a kernel of its own, by nbclient."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

from larvastats.errors import DataError
from larvastats.report.document import Cell, Document, cell_options

EXTRA = (
    "the built-in renderer needs {name}, which is not installed: pip install 'larvastats[report]', "
    "or install Quarto."
)
STARTUP_S = 120
LONGEST_SOCKET = 90

PRELUDE = """\
import matplotlib
from IPython import get_ipython
get_ipython().run_line_magic("config", "InlineBackend.figure_formats = ['svg']")
get_ipython().run_line_magic("matplotlib", "inline")
matplotlib.rcParams["figure.figsize"] = ({width}, {height})
"""

Output = Mapping[str, Any]


def run_cells(document: Document, parameters: Mapping[str, Any]) -> dict[int, Sequence[Output]]:
    """Run the cells of a document and return the outputs by position of the cell.

    Cells with ``eval: false`` are not run and have no outputs. `parameters` are set after the cell
    that is tagged ``parameters``, as Papermill and Quarto do, or first where there is none.

    Raises
    ------
    DataError
        A cell raised, its kernel died, or a library is missing.
    """
    nbformat = needed("nbformat")
    wanted = [(k, c, cell_options(document, c)) for k, c in enumerate(document.cells)]
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(_notebook_cells(nbformat, wanted, parameters))
    _execute(document, notebook)
    return {c.metadata["position"]: c.outputs for c in notebook.cells if "position" in c.metadata}


def needed(name: str) -> Any:
    """Import a library of the extra `report`.

    Raises
    ------
    DataError
        It is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise DataError(EXTRA.format(name=name)) from error


def _notebook_cells(
    nbformat: Any, wanted: Sequence[tuple[int, Cell, dict[str, Any]]], parameters: Mapping[str, Any]
) -> Iterator[Any]:
    """Yield the notebook's cells: figure sizes before a cell that asks for one, parameters."""
    values = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    after = next((k for k, cell, _ in wanted if cell.is_parameters), None)
    size = (7.0, 5.0)
    yield nbformat.v4.new_code_cell(PRELUDE.format(width=size[0], height=size[1]))
    if after is None:
        yield nbformat.v4.new_code_cell(values)
    for k, cell, options in wanted:
        asked = (float(options.get("fig-width", 7)), float(options.get("fig-height", 5)))
        if asked != size:
            size = asked
            yield nbformat.v4.new_code_cell(f"matplotlib.rcParams['figure.figsize'] = {size}")
        if options["eval"]:
            made = nbformat.v4.new_code_cell(cell.code)
            made.metadata["position"] = k
            if options["error"]:
                made.metadata["tags"] = ["raises-exception"]
            yield made
        if k == after:
            yield nbformat.v4.new_code_cell(values)


def _execute(document: Document, notebook: Any) -> None:
    client_module, manager_module = needed("nbclient"), needed("jupyter_client.manager")
    specs, exceptions = needed("jupyter_client.kernelspec"), needed("nbclient.exceptions")
    needed("ipykernel")
    # this interpreter's own kernel, whatever kernels the user has installed under the same name
    kernels = specs.KernelSpecManager(kernel_dirs=[])
    with _environment() as environment:
        file = os.path.join(environment["IPYTHONDIR"], "k.json")
        # sockets in a folder of our own; Windows has none, and their paths may not be long
        transport = "ipc" if os.name != "nt" and len(file) < LONGEST_SOCKET else "tcp"
        manager = manager_module.AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=kernels, transport=transport,
            connection_file=file,
        )  # fmt: skip
        client = client_module.NotebookClient(
            notebook, km=manager, timeout=None, startup_timeout=STARTUP_S,
            resources={"metadata": {"path": str(document.path.parent)}},
        )  # fmt: skip
        client.owns_km = True  # and so ends it, whatever happens
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # of Jupyter itself
        try:
            run = partial(client.async_execute, env=environment, **quiet)
            _interruptible(lambda: asyncio.run(run()), manager)
        except exceptions.CellExecutionError as error:
            raise _raised(document, notebook, error) from error
        except (exceptions.DeadKernelError, RuntimeError, TimeoutError) as error:
            raise DataError(
                f"the page {document.path.name} could not be made: Python stopped while it ran the "
                f"cells ({str(error).splitlines()[0]}); it may have run out of memory."
            ) from error
        finally:  # a kernel that ended while it started has nothing left to clean up
            atexit.unregister(client._cleanup_kernel)


def _interruptible(run: Callable[[], object], manager: Any) -> None:
    """Run in a thread, where nbclient leaves signals alone; on Ctrl-C end the kernel and say so."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run)
        try:
            future.result()
        except KeyboardInterrupt:
            while not future.done():  # the kernel may only be starting
                process = getattr(manager.provisioner, "process", None)
                if process is not None:
                    process.kill()
                wait([future], timeout=0.2)
            raise


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Yield the kernel's environment: not the user's IPython profile, start-up files, debugger."""
    with tempfile.TemporaryDirectory(prefix="larvastats-") as folder:
        yield os.environ | {
            "IPYTHONDIR": folder,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONWARNINGS": "default",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "LARVASTATS_CALLED_FROM": os.getcwd(),
        }


def _raised(document: Document, notebook: Any, error: Any) -> DataError:
    """Make the sentence of a cell that raised: its own if it is one of larvastats'."""
    name, text = str(error.ename), _uncoloured(str(error.evalue))
    if name in ("PageError", "DataError", "UsageError"):
        return DataError(text)
    label = "?"
    for made in notebook.cells:
        if any(out.get("output_type") == "error" for out in made.get("outputs", ())):
            position = made.metadata.get("position")
            label = "?" if position is None else document.cells[position].label
    what = " ".join(f"{name}: {text}".split())
    return DataError(
        f"the page {document.path.name} could not be made: its cell {label!r} raised {what}"
    )


def _uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
