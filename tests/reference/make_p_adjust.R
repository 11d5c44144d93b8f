# Adjusted p-values by p.adjust.
# Usage: Rscript make_p_adjust.R [FOLDER]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

sets <- list(
  small = c(0.01, 0.02, 0.03, 0.04, 0.05),
  ties = c(0.05, 0.05, 0.05, 0.2, 0.2, 0.9),
  mixed = c(0.8, 1e-12, 0.049, 0.3, 2.9e-4, 0.051, 0.007, 1, 0.61, 0.012, 0.33, 0.0004),
  floor = c(rep(1 / 70, 4), 2 / 70, 30 / 70, 1),
  missing = c(0.04, NA, 0.001, 0.3, NA, 0.02),
  one = 0.03
)
number <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
out <- do.call(rbind, lapply(names(sets), function(set) {
  p <- sets[[set]]
  data.frame(set = set, p = number(p), bh = number(p.adjust(p, "BH")),
             by = number(p.adjust(p, "BY")), bonferroni = number(p.adjust(p, "bonferroni")))
}))
file <- file(file.path(folder, "p_adjust.csv"), "w")
writeLines(sprintf("# %s, stats::p.adjust, by make_p_adjust.R", R.version.string), file)
write.csv(out, file, row.names = FALSE, quote = FALSE)
close(file)
