# Runs the tests in FOLDER: Rscript run.R FOLDER [COMMAND [FILTER]]; without COMMAND `larvastats` is there.
words <- commandArgs(trailingOnly = TRUE)
if (length(words) > 1) {
  options(larvastats.command = words[2])
  source(system2(words[2], c("r", "--file"), stdout = TRUE))
}
example <- Sys.getenv("LARVASTATS_EXAMPLE")
options(warn = 2)
filter <- if (length(words) > 2) words[3]
testthat::test_dir(words[1], filter = filter, env = globalenv(), reporter = "check", stop_on_failure = TRUE,
                   stop_on_warning = TRUE)
