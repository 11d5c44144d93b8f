# Transition matrices by markovchain::markovchainFit (maximum likelihood).
# Usage: Rscript make_markovchain.R [FOLDER]    reads sequences.csv beside this script
suppressPackageStartupMessages(library(markovchain))

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

frames <- read.csv(file.path(here, "sequences.csv"), comment.char = "#", colClasses = "character")
out <- NULL
for (set in unique(frames$set)) {
  one <- frames[frames$set == set, ]
  by_larva <- split(one$state, factor(one$larva, levels = unique(one$larva)))
  for (kind in c("frame", "jump")) {
    chains <- if (kind == "frame") by_larva else lapply(by_larva, function(s) rle(s)$values)
    chains <- chains[lengths(chains) > 1]
    fitted <- markovchainFit(data = unname(chains), method = "mle", sanitize = FALSE)
    p <- fitted$estimate@transitionMatrix
    cells <- expand.grid(to = colnames(p), from = rownames(p), stringsAsFactors = FALSE)
    cells$p <- mapply(function(i, j) p[i, j], cells$from, cells$to)
    out <- rbind(out, data.frame(set = set, kind = kind, cells[, c("from", "to", "p")]))
  }
}
file <- file(file.path(folder, "markovchain.csv"), "w")
writeLines(sprintf("# %s, markovchain %s, by make_markovchain.R", R.version.string,
                   packageVersion("markovchain")), file)
out$p <- sprintf("%.17g", out$p)
write.csv(out, file, row.names = FALSE, quote = FALSE)
close(file)
