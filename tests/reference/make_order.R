# Order and homogeneity of chains: markovchain's assessOrder, verifyMarkovProperty and
# verifyHomogeneity, and stats::chisq.test row by row.
# Usage: Rscript make_order.R [FOLDER]    reads order_data.csv beside this script
suppressPackageStartupMessages(library(markovchain))

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

data <- read.csv(file.path(here, "order_data.csv"), comment.char = "#", colClasses = "character")
out <- NULL
add <- function(set, what, statistic, df) {
  out <<- rbind(out, data.frame(set = set, what = what, statistic = sprintf("%.17g", statistic),
                                df = df))
}
for (set in unique(data$set)) {
  s <- data$state[data$set == set]
  order <- suppressWarnings(assessOrder(s, verbose = FALSE))
  add(set, "assessOrder", order$statistic, NA)
  markov <- verifyMarkovProperty(s, verbose = FALSE)
  add(set, "verifyMarkovProperty", markov$statistic[[1]], markov$dof[[1]])
  thirds <- split(s, rep(1:3, each = length(s) / 3))
  same <- suppressWarnings(verifyHomogeneity(unname(thirds), verbose = FALSE))
  add(set, "verifyHomogeneity", same$statistic, same$dof)
  states <- sort(unique(s))
  counts <- lapply(thirds, function(x) table(factor(head(x, -1), states), factor(tail(x, -1), states)))
  total <- 0; df <- 0
  for (from in states) {
    test <- suppressWarnings(chisq.test(sapply(counts, function(n) n[from, ]), correct = FALSE))
    total <- total + test$statistic; df <- df + test$parameter
  }
  add(set, "chisq.test by row", total[[1]], df[[1]])
}
file <- file(file.path(folder, "order.csv"), "w")
writeLines(sprintf("# %s, markovchain %s, by make_order.R", R.version.string,
                   packageVersion("markovchain")), file)
write.csv(out, file, row.names = FALSE, quote = FALSE)
close(file)
