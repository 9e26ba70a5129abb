"""Tables of a page: what its rules draw, and what its alignment shows.

Runs and drawing go in, before the reading order is known; grids with their runs come out, and the runs outside them.
Each character of a run goes to exactly one cell or stays outside.
"""

from frostbyte.data_plane.parse.pdf.tables.find import find_tables as find_tables
from frostbyte.data_plane.parse.pdf.tables.grid import Grid as Grid
from frostbyte.data_plane.parse.pdf.tables.grid import GridCell as GridCell
