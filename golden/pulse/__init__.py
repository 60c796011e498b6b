"""From probability to pulse: tables of lengths, their files, and the pulse coder."""

from golden.pulse.coder import encode
from golden.pulse.design import CoderConfig
from golden.pulse.table import ProbabilityTable, tanh_table
from golden.pulse.tablefile import TableFile

__all__ = ["CoderConfig", "ProbabilityTable", "TableFile", "encode", "tanh_table"]
