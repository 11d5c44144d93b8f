"""Who is compared with whom, on which plates and dates: units, blocks, replicates, crosses."""
