"""Shuffling a sequence without changing one of its transitions.

Under a first-order chain, whatever its probabilities, all sequences with the same first state and
the same numbers of transitions are equally likely (Whittle 1955, J. R. Stat. Soc. B 17:235). They
are the Eulerian trails of the multigraph of transitions, drawn uniformly as Altschul & Erickson
1985 (Mol. Biol. Evol. 2:526) and Kandel, Matias, Unger & Winkler 1996 (Discrete Appl. Math. 71:171)
do: choose which exit each state takes last, so that these exits lead to the final state (a uniform
spanning arborescence, by Wilson 1996, STOC 28:296), and the order of the others at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

EDGES_AT_ONCE = 1 << 20
"""Transitions shuffled at a time: bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """Transitions of many runs as the edges of one multigraph; node = run * K + state.

    Attributes
    ----------
    target : ndarray of int, shape (edge,)
        State to which each edge leads; edges are sorted by the node they leave.
    node : ndarray of int, shape (edge,)
    run : ndarray of int, shape (edge,)
    first, degree : ndarray of int, shape (node,)
        First edge that leaves a node, and how many do.
    begin, end : ndarray of int, shape (run,)
        First and last state.
    k : int
    """

    target: Index
    node: Index
    run: Index
    first: Index
    degree: Index
    begin: Index
    end: Index
    k: int


def _graph(state: Index, first: Index, k: int) -> _Graph:
    length = np.diff(first)
    run = np.repeat(np.arange(len(length)), length - 1)
    leave = np.delete(np.arange(len(state)), first[1:] - 1)
    node = run * k + state[leave]
    order = np.argsort(node, kind="stable")
    degree = np.bincount(node, minlength=len(length) * k)
    start = np.concatenate([[0], np.cumsum(degree)])[:-1]
    return _Graph(
        state[leave + 1][order], node[order], run[order], start, degree,
        state[first[:-1]], state[first[1:] - 1], k,
    )  # fmt: skip


def _last_exits(graph: _Graph, rng: np.random.Generator) -> Index:
    """Choose each node's last edge, shape (node,): walk at random, forget every loop."""
    k = graph.k
    base = np.arange(len(graph.end)) * k
    chosen = np.full(len(graph.degree), -1, dtype=np.int64)
    inside = graph.degree == 0  # nothing ever leaves: never on a walk, or the final state
    inside[base + graph.end] = True
    for state in range(k):
        start = base + state
        walking = np.flatnonzero(~inside[start])
        at = start[walking]
        while len(walking):
            edge = graph.first[at] + (rng.random(len(at)) * graph.degree[at]).astype(np.int64)
            chosen[at] = edge
            at = base[walking] + graph.target[edge]
            on = ~inside[at]
            walking, at = walking[on], at[on]
        # what the walk kept of its way joins the tree
        walking = np.flatnonzero(~inside[start])
        at = start[walking]
        while len(walking):
            inside[at] = True
            at = base[walking] + graph.target[chosen[at]]
            on = ~inside[at]
            walking, at = walking[on], at[on]
    chosen[base + graph.end] = -1
    return chosen


def _walk(graph: _Graph, target: Index, first: Index) -> Index:
    """Follow the edges of every run in the order in which `target` lists them."""
    length = np.diff(first)
    out = np.empty(first[-1], dtype=np.int64)
    order = np.argsort(-length, kind="stable")
    still = np.cumsum(np.bincount(length)[::-1])[::-1]  # runs of at least that many bouts
    now, pointer = graph.begin[order].copy(), graph.first.copy()
    base, place = order * graph.k, first[:-1][order]
    out[place] = now
    for step in range(1, int(length.max())):
        n = int(still[step + 1])
        node = base[:n] + now[:n]
        now[:n] = target[pointer[node]]
        pointer[node] += 1
        out[place[:n] + step] = now[:n]
    return out


def shuffle(state: Index, first: Index, k: int, rng: np.random.Generator) -> Index:
    """Shuffle runs, each uniformly over the sequences with its first state and its transitions.

    Parameters
    ----------
    state : ndarray of int, shape (bout,)
        Runs one behind another, each of at least two bouts; states 0 ... k - 1.
    first : ndarray of int, shape (run + 1,)
        Where each run begins.
    k : int
    rng : Generator

    Returns
    -------
    ndarray of int, shape (bout,)
    """
    if len(first) < 2:
        return state.copy()
    return _shuffled(_graph(state, first, k), first, rng)


def _shuffled(graph: _Graph, first: Index, rng: np.random.Generator) -> Index:
    last = _last_exits(graph, rng)
    key = graph.node + 0.9 * rng.random(len(graph.node))
    last = last[last >= 0]
    key[last] = graph.node[last] + 0.95
    return _walk(graph, graph.target[np.argsort(key)], first)


def shuffles(
    state: Index, first: Index, k: int, copies: int, rng: np.random.Generator
) -> Iterator[tuple[Index, Index, int]]:
    """Yield `copies` shuffles, several at a time.

    Yields
    ------
    state : ndarray of int, shape (bout of some copies,)
    first : ndarray of int, shape (run of some copies + 1,)
    n : int
        Copies in this block, one behind another.
    """
    per_block = max(1, min(copies, EDGES_AT_ONCE // max(len(state), 1)))
    done = 0
    graph, many, n = None, first, 0
    while done < copies:
        if graph is None or n != min(per_block, copies - done):
            n = min(per_block, copies - done)
            shift = np.arange(n)[:, None] * first[-1]
            many = np.append((first[:-1] + shift).ravel(), n * first[-1])
            graph = _graph(np.tile(state, n), many, k)
        yield _shuffled(graph, many, rng), many, n
        done += n
