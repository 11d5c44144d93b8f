# Equal proportions by prop.test: numbers, and what print() makes of them.
# Usage: Rscript make_prop_test.R [FOLDER]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

cases <- list(
  zhu_5c = list(k = c(26, 33), n = c(110, 73)),
  zhu_8a = list(k = c(54, 29), n = c(81, 119)),
  zhu_2c = list(k = c(65, 17), n = c(78, 55)),
  corrected = list(k = c(26, 33), n = c(110, 73), correct = TRUE),
  corrected_close = list(k = c(10, 14), n = c(40, 43), correct = TRUE),
  level_90 = list(k = c(15, 25), n = c(50, 50), level = 0.9),
  equal = list(k = c(20, 40), n = c(50, 100)),
  unequal_digits = list(k = c(1, 500), n = c(8, 1500)),
  three = list(k = c(15, 25, 30), n = c(50, 50, 60)),
  tiny_p = list(k = c(900, 100), n = c(1000, 1000)),
  wide = list(k = c(123456, 123999), n = c(1000000, 1000000)),
  none_against_some = list(k = c(0, 30), n = c(40, 60))
)
number <- function(x) if (is.null(x)) "NA" else sprintf("%.17g", x)
rows <- NULL
text <- NULL
for (name in names(cases)) {
  case <- cases[[name]]
  correct <- isTRUE(case$correct)
  level <- if (is.null(case$level)) 0.95 else case$level
  test <- prop.test(case$k, case$n, correct = correct, conf.level = level)
  rows <- rbind(rows, data.frame(
    case = name, successes = paste(case$k, collapse = " "), trials = paste(case$n, collapse = " "),
    correct = correct, level = level, statistic = number(unname(test$statistic)),
    df = unname(test$parameter), p_value = number(test$p.value),
    estimate = paste(sprintf("%.17g", test$estimate), collapse = " "),
    low = number(test$conf.int[1]), high = number(test$conf.int[2])))
  text <- c(text, paste("## case", name), capture.output(print(test)))
}
file <- file(file.path(folder, "prop_test.csv"), "w")
writeLines(sprintf("# %s, stats::prop.test, by make_prop_test.R", R.version.string), file)
write.csv(rows, file, row.names = FALSE, quote = FALSE)
close(file)
writeLines(text, file.path(folder, "prop_test_print.txt"))
