"""From a statistic to p-values, and from many p-values to one screen."""
