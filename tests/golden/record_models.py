"""Records the parameter tables of the models, from the layers as they were published.

PYTHONPATH=. python tests/golden/record_models.py

Nothing of `fcn_jax` has a part in it: the code is held against these tables. A changed
table is a change of every checkpoint: look at the difference before it is committed.
"""

from pathlib import Path

from tests.support import published

for table in published.TABLES:
    file = Path(__file__).parent / f"parameters_{table}.txt"
    file.write_text(published.parameter_table(table))
    print(file)
