"""Where the edge's files lie."""
