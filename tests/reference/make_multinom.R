# Multinomial logits by nnet::multinom, one per origin state: polynomial and natural spline of time.
# Usage: Rscript make_multinom.R [FOLDER]    reads bouts.csv beside this script
suppressPackageStartupMessages({
  library(nnet)
  library(splines)
})

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

bouts <- read.csv(file.path(here, "bouts.csv"), comment.char = "#")
same <- head(bouts$assay, -1) == tail(bouts$assay, -1) & head(bouts$larva, -1) == tail(bouts$larva, -1)
jumps <- data.frame(
  from = head(bouts$state, -1), to = tail(bouts$state, -1), t = tail(bouts$t_start, -1),
  genotype = factor(tail(bouts$line, -1), levels = c("wild", "mutant")),
  assay = tail(bouts$assay, -1)
)[same, ]
grid <- expand.grid(t = c(5, 15, 30, 45, 55), genotype = levels(jumps$genotype),
                    stringsAsFactors = FALSE)
models <- list(
  poly = to ~ genotype * (I(t / 60) + I((t / 60)^2)),
  spline = to ~ genotype * ns(t, knots = c(15, 30, 45), Boundary.knots = c(0, 60))
)
fit <- function(formula, data) {
  multinom(formula, data = data, maxit = 5000, abstol = 1e-14, reltol = 1e-16, trace = FALSE)
}
coefficients <- predictions <- NULL
for (state in sort(unique(jumps$from))) {
  own <- jumps[jumps$from == state, ]
  own$to <- factor(own$to)
  grid$genotype <- factor(grid$genotype, levels = levels(jumps$genotype))
  for (name in names(models)) {
    model <- fit(models[[name]], own)
    # two destinations: coef is a vector
    b <- coef(model)
    if (is.null(dim(b))) b <- matrix(b, 1, dimnames = list(levels(own$to)[2], names(b)))
    p <- predict(model, newdata = grid, type = "probs")
    if (is.null(dim(p))) p <- cbind(1 - p, p)
    colnames(p) <- levels(own$to)
    if (name == "poly") {
      coefficients <- rbind(coefficients, data.frame(
        from = state, reference = levels(own$to)[1], to = rep(rownames(b), each = ncol(b)),
        term = rep(seq_len(ncol(b)), nrow(b)), estimate = as.vector(t(b)),
        log_likelihood = as.numeric(logLik(model))
      ))
    }
    for (j in colnames(p)) {
      predictions <- rbind(predictions, data.frame(
        model = name, from = state, to = j, t = grid$t, genotype = as.character(grid$genotype),
        p = p[, j], log_likelihood = as.numeric(logLik(model))
      ))
    }
  }
}
write <- function(table, name) {
  file <- file(file.path(folder, name), "w")
  writeLines(sprintf("# %s, nnet %s, by make_multinom.R", R.version.string,
                     packageVersion("nnet")), file)
  numbers <- sapply(table, is.double)
  table[numbers] <- lapply(table[numbers], function(v) sprintf("%.12g", v))
  write.csv(table, file, row.names = FALSE, quote = FALSE)
  close(file)
}
write(coefficients, "multinom_coefficients.csv")
write(predictions, "multinom_predictions.csv")
