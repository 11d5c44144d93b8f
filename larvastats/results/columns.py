"""Names of the columns that scripts depend on."""

SCREEN_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "window",
    "n_dates", "n_assays", "n_control_assays", "n_larvae", "n_transitions",
    "statistic_name", "statistic", "p_value", "null", "p_exact", "p_floor", "p_approx",
    "q_value", "rejected",
    "hellinger", "hellinger_adjusted", "hellinger_pseudo_95", "hellinger_low", "hellinger_high",
    "hellinger_p_value",
    "js", "js_adjusted", "js_low", "js_high", "js_p_value",
    "kl", "kl_adjusted", "kl_low", "kl_high", "kl_p_value",
    "empty_rows", "top_transition", "top_difference", "note",
)  # fmt: skip
"""Columns of a screen's table, in order; scripts depend on them."""

TRANSITION_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "window", "from", "to",
    "n_line", "n_control", "p_line", "p_control", "difference", "z", "p_adjusted",
)  # fmt: skip
"""Columns of a screen's ``transitions`` table: one row per line, window and cell.

``p_adjusted`` holds for all cells of a line together (max |z|), in lines that were rejected.
"""

WINDOW_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "window",
    "n_dates", "n_assays", "n_control_assays", "n_larvae", "n_transitions",
    "statistic_name", "statistic", "p_marginal", "p_single_step", "p_adjusted", "null", "p_floor",
    "q_value", "rejected",
    "hellinger", "hellinger_adjusted", "hellinger_pseudo_95", "hellinger_low", "hellinger_high",
    "hellinger_p_value", "empty_rows", "top_transition", "top_difference", "note",
)  # fmt: skip
"""Columns of a screen's ``windows`` table, where it tested several windows: one row per line and
window.

``p_marginal`` holds for the window alone; ``p_single_step`` and ``p_adjusted`` (step-down) for all
windows of the line together; ``q_value`` for the line. ``rejected``: the line is, and in this
window.
"""
