"""Tests of lines against their control: statistics, null distributions, cells."""
