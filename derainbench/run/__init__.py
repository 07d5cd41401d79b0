"""From an order to cells, their execution, the run folder."""
