"""Whether a model uses its latent, and whether what it draws is like real larvae.

- :mod:`~generative.diagnostics.collapse`: use of the latent, free-running reconstruction;
- :mod:`~generative.diagnostics.motion`: how larvae move, in body lengths and s;
- :mod:`~generative.diagnostics.classifier`: what a sequence shows, learned from training assays;
- :mod:`~generative.diagnostics.effects`: differences between genotypes, real and synthetic;
- :mod:`~generative.diagnostics.fidelity`: synthetic against real, real against real beside it;
- :mod:`~generative.diagnostics.gates`: what has to be reached;
- :mod:`~generative.diagnostics.diagnose`: all of it, as one result;
- :mod:`~generative.diagnostics.pictures`, :mod:`~generative.diagnostics.films`: to look at.
"""
