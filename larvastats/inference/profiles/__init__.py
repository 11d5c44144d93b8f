"""What each statistic looks at: profiles of assays, made of counts."""
