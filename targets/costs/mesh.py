"""The mesh of a chip: where cores lie, and which links a message takes, along x first and then along y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array


@dataclass(frozen=True)
class Mesh:
    """Tiles in rows, row by row; chips stand in a row from west to east, and a row of tiles goes on in the next chip.

    Attributes:
        width, height: tiles of a chip.
        cores: cores of a tile.
    """

    width: int
    height: int
    cores: int

    @property
    def chip_cores(self) -> int:
        """Cores of a chip."""
        return self.width * self.height * self.cores

    def columns(self, core: Array) -> Array:
        """Columns of the tiles of cores, over all chips."""
        tile = core % self.chip_cores // self.cores
        return np.asarray(core // self.chip_cores * self.width + tile % self.width)

    def rows(self, core: Array) -> Array:
        """Rows of the tiles of cores."""
        return np.asarray(core % self.chip_cores // self.cores // self.width)

    def tile(self, core: Array) -> Array:
        """Numbers of the tiles of cores, over all chips."""
        return np.asarray(core // self.cores)

    def chip(self, core: Array) -> Array:
        """Numbers of the chips of cores."""
        return np.asarray(core // self.chip_cores)

    def link_name(self, link: int) -> str:
        """E.g. ``"(3, 1) east"``."""
        place, direction = divmod(link, 4)
        x, y = divmod(place, self.height)
        return f"({x}, {y}) {('east', 'west', 'north', 'south')[direction]}"

    def links(self, chips: int) -> int:
        """One more than the largest number of a link."""
        return chips * self.width * self.height * 4

    def route(self, source: int, target: int) -> list[int]:
        """The links from the tile of one core to that of another."""
        links: list[int] = routes(self, np.array([source]), np.array([target])).link.tolist()
        return links


@dataclass(frozen=True, eq=False)
class Routes:
    """The ways between pairs of cores.

    Attributes:
        source, target: (pairs,) int64 cores.
        first_link: (pairs + 1,) int64, where the links of each pair begin in ``link``.
        link: int64, numbers of links, see ``Mesh``.
        east_west, north_south, crossings: (pairs,) int64, hops, and borders of chips among them.
    """

    source: Array
    target: Array
    first_link: Array
    link: Array
    east_west: Array
    north_south: Array
    crossings: Array


def routes(mesh: Mesh, source: Array, target: Array) -> Routes:
    """The ways between cores ``source`` and ``target``, (pairs,) each."""
    from snnc.kernels.mesh import write_routes

    start = np.stack([mesh.columns(source), mesh.rows(source)], axis=1).astype(np.int64)
    end = np.stack([mesh.columns(target), mesh.rows(target)], axis=1).astype(np.int64)
    steps = np.abs(end - start)
    first = np.append(0, np.cumsum(steps.sum(axis=1))).astype(np.int64)
    link, hop = np.zeros(first[-1], np.int64), np.zeros(first[-1])
    write_routes(start, end, mesh.height, mesh.width, np.zeros(3), first, link, hop)
    return Routes(
        source=source,
        target=target,
        first_link=first,
        link=link,
        east_west=steps[:, 0],
        north_south=steps[:, 1],
        crossings=np.abs(mesh.chip(source) - mesh.chip(target)).astype(np.int64),
    )
