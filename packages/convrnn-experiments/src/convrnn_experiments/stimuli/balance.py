"""Balanced designs: how often each category and level occurs in each block, as evenly as whole numbers allow.

The table of categories and levels is a bipartite multigraph, and a block is a color of its edges. Every bipartite
multigraph has a coloring that is even at each vertex, between each pair of vertices and overall (de Werra, 1975), so
an even design exists for any block size and any number of levels. `share` finds it one block at a time.
"""

import numpy as np


def balanced_counts(
    blocks: int, categories: int, levels: int, per_block: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a design in which every count differs by at most one from every other count of its kind.

    Counts of one kind are those of a category, of a level, or of a category at a level; either within the blocks or
    summed over all of them.

    Args:
        blocks: Number of blocks.
        categories: Number of categories.
        levels: Number of levels.
        per_block: Trials in each block.
        rng: Generator that chooses which categories and levels get the additional trials.

    Returns:
        Trials, (blocks, categories, levels) int64; each block sums to `per_block`.
    """
    remaining = share(np.full((categories, levels), blocks * per_block), categories * levels, rng)
    counts = np.empty((blocks, categories, levels), dtype=np.int64)
    for block in range(blocks):
        counts[block] = share(remaining, blocks - block, rng)
        remaining = remaining - counts[block]
    return counts


def share(table: np.ndarray, parts: int, rng: np.random.Generator) -> np.ndarray:
    """Round a table divided by `parts` so that cells, row sums, column sums and the total are each rounded up or down.

    Args:
        table: Non-negative integers, (rows, columns).
        parts: Divisor, at least 1.
        rng: Generator that chooses which cells are rounded up.

    Returns:
        (rows, columns) int64.
    """
    # A slack row and column make all sums of remainders multiples of `parts`, and rounding preserves the sums.
    remainders = np.zeros((table.shape[0] + 1, table.shape[1] + 1), dtype=np.int64)
    remainders[:-1, :-1] = table % parts
    remainders[:-1, -1] = -table.sum(axis=1) % parts
    remainders[-1, :-1] = -table.sum(axis=0) % parts
    remainders[-1, -1] = table.sum() % parts
    _round(remainders, parts, rng)
    return table // parts + remainders[:-1, :-1] // parts


def _round(remainders: np.ndarray, parts: int, rng: np.random.Generator) -> None:
    """Move each remainder to 0 or `parts` in place, keeping all sums of rows and columns."""
    while True:
        open_cells = (remainders > 0) & (remainders < parts)
        if not open_cells.any():
            return
        rows, columns = _cycle(open_cells, rng)
        raised, lowered = (rows[0::2], columns[0::2]), (rows[1::2], columns[1::2])
        step = min((parts - remainders[raised]).min(), remainders[lowered].min())
        remainders[raised] += step
        remainders[lowered] -= step


def _cycle(open_cells: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Find a closed path through open cells that moves along rows and columns in turn.

    Each row and column with an open cell has at least two, because their remainders add up to a multiple of `parts`.

    Returns:
        Rows and columns of the cells on the path.
    """
    cells = [tuple(rng.choice(np.argwhere(open_cells)))]
    seen: dict[tuple[int, int], int] = {}
    axis = 0
    while True:
        row, column = cells[-1]
        line = (axis, int(row if axis == 0 else column))
        if line in seen:
            rows, columns = np.array(cells[seen[line] + 1 :]).T
            return rows, columns
        seen[line] = len(cells) - 1
        if axis == 0:
            others = np.flatnonzero(open_cells[row])
            cells.append((row, rng.choice(others[others != column])))
        else:
            others = np.flatnonzero(open_cells[:, column])
            cells.append((rng.choice(others[others != row]), column))
        axis = 1 - axis
