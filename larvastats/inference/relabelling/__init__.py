"""Which assays could have been whose: enumerated or sampled relabellings, sign flips."""
