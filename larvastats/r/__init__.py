"""larvastats in R: results as S3 objects, verbs as R functions.

``bridge`` hands things over in memory through rpy2; ``run`` runs scripts of R inside Python;
``files`` answers R sessions that run on their own. What R does with it stands in ``larvastats.R``,
the same for both. rpy2 is imported where it is used.
"""
