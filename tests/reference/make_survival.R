# Survival curves and censored fits by the package survival; gamma and truncated fits by optim on
# R's own distribution functions.
# Usage: Rscript make_survival.R [FOLDER]    reads survival_data.csv beside this script
suppressPackageStartupMessages(library(survival))

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

number <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
save <- function(table, name) {
  file <- file(file.path(folder, name), "w")
  writeLines(sprintf("# %s, survival %s, by make_survival.R", R.version.string,
                     packageVersion("survival")), file)
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.csv(table, file, row.names = FALSE, quote = FALSE)
  close(file)
}

# The package's own lung data: written here, so that Python reads what R fitted
lung <- with(survival::lung, data.frame(set = "lung", entry = 0, time = time, event = status - 1))
given <- read.csv(file.path(here, "survival_data.csv"), comment.char = "#")
bouts <- rbind(lung, given)
save(lung, "survival_lung.csv")

# Kaplan-Meier
curves <- NULL
for (set in unique(bouts$set)) {
  own <- bouts[bouts$set == set, ]
  late <- any(own$entry > 0)
  response <- if (late) Surv(own$entry, own$time, own$event) else Surv(own$time, own$event)
  fitted <- survfit(response ~ 1)
  horizon <- as.numeric(quantile(own$time, 0.8))
  mean <- if (late) NA else summary(fitted, rmean = horizon)$table[["rmean"]]
  keep <- fitted$n.event > 0
  curves <- rbind(curves, data.frame(set = set, time = fitted$time[keep],
    at_risk = fitted$n.risk[keep], survival = fitted$surv[keep], horizon = horizon, rmean = mean,
    median = if (late) NA else summary(fitted)$table[["median"]]))
}
save(curves, "survival_curves.csv")

# Distributions
density <- list(weibull = dweibull, gamma = function(x, a, s, log) dgamma(x, a, scale = s, log = log),
                lognormal = function(x, a, s, log) dlnorm(x, log(s), a, log = log))
tail <- list(weibull = function(x, a, s) pweibull(x, a, s, lower.tail = FALSE, log.p = TRUE),
             gamma = function(x, a, s) pgamma(x, a, scale = s, lower.tail = FALSE, log.p = TRUE),
             lognormal = function(x, a, s) plnorm(x, log(s), a, lower.tail = FALSE, log.p = TRUE))
fits <- NULL
for (set in unique(bouts$set)) {
  own <- bouts[bouts$set == set, ]
  if (all(own$entry == 0)) {
    for (name in c("exponential", "weibull", "lognormal")) {
      one <- survreg(Surv(time, event) ~ 1, own, dist = name,
                     control = survreg.control(rel.tolerance = 1e-14))
      shape <- switch(name, exponential = NA, weibull = 1 / one$scale, lognormal = one$scale)
      fits <- rbind(fits, data.frame(set = set, family = name, by = "survreg", shape = shape,
                                     scale = exp(coef(one)[[1]]), loglik = one$loglik[2]))
    }
  }
  for (name in names(density)) {
    minus <- function(p) {
      a <- exp(p[1]); s <- exp(p[2]); dead <- own$event == 1; late <- own$entry > 0
      -(sum(density[[name]](own$time[dead], a, s, log = TRUE)) + sum(tail[[name]](own$time[!dead], a, s))
        - sum(tail[[name]](own$entry[late], a, s)))
    }
    estimate <- c(0, log(mean(own$time)))
    for (again in 1:6) {
      one <- optim(estimate, minus, control = list(reltol = 1e-16, maxit = 5000))
      estimate <- one$par
    }
    fits <- rbind(fits, data.frame(set = set, family = name, by = "optim", shape = exp(estimate[1]),
                                   scale = exp(estimate[2]), loglik = -one$value))
  }
}
save(fits, "survival_fits.csv")
