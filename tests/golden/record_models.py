"""Records the parameter tables of the models.

PYTHONPATH=.:tests python tests/golden/record_models.py

A changed table is a change of every checkpoint: look at the difference before it is
committed.
"""

from pathlib import Path

import fcn_jax.models
from tests.support import cases

for table, (name, options) in cases.PARAMETER_TABLES.items():
    model = fcn_jax.models.create(name, **options)
    file = Path(__file__).parent / f"parameters_{table}.txt"
    file.write_text(cases.parameter_table(model))
    print(file)
