"""New trajectories from a trained model.

- :mod:`~generative.sampling.latents`: sequences of a training set as latents;
- :mod:`~generative.sampling.prior`: what latents are drawn from, by condition;
- :mod:`~generative.sampling.noise`: what the decoder leaves out, with its own spectrum;
- :mod:`~generative.sampling.sampler`: both, fitted to a training;
- :mod:`~generative.sampling.kept`: kept beside the model;
- :mod:`~generative.sampling.trajectories`: samples in mm and s, written as a store.
"""
