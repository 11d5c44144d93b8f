"""From recordings to sequences a model can learn from.

- :mod:`~generative.dataset.source`: recordings of a store, a database or a folder, one at a time;
- :mod:`~generative.dataset.windows`: one larva cut into sequences;
- :mod:`~generative.dataset.indexing`, :mod:`~generative.dataset.index`: all sequences of all
  recordings, in one HDF5 file, written and read;
- :mod:`~generative.dataset.proportions`: how many there are of each action;
- :mod:`~generative.dataset.split`: folds by assay within genotype;
- :mod:`~generative.dataset.draw`: so many sequences of each action, no frame twice;
- :mod:`~generative.dataset.build`: the training set, written;
- :mod:`~generative.dataset.sequences`: the training set, read.
"""
