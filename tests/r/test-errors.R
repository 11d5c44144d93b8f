test_that("errors are conditions of R with the same sentences", {
  expect_error(larvastats$screen("nowhere.csv"), "nowhere.csv: there is no such file; check the path.",
               class = "larva_usage_error", fixed = TRUE)
  expect_error(larvastats$info(data.frame(a = 1)), class = "larva_data_error")
  error <- tryCatch(larvastats$info(resample = 99), error = identity)  # R completes the name
  expect_s3_class(error, "larva_source_info")
  expect_error(larvastats$info(resmaples = 99),
               "info has no argument 'resmaples'; do you mean resamples?", fixed = TRUE)
})

test_that("what is no verb, and what is no argument, is said", {
  expect_error(larvastats$scren(), "larvastats has no verb 'scren'")
  expect_error(larvastats$help("scren"), "larvastats has no verb 'scren'")
  expect_error(larvastats$info(quote(x + y)), "an argument of class call cannot be handed over")
  bad <- data.frame(assay = "a", line = "b", larva = 1, state = "run", t_start = 0, t_stop = 1)
  bad$parts <- list(1:2)
  expect_error(larvastats$info(bad), "column parts of the data.frame is of kind list")
})

test_that("verbs have R's arguments and a description", {
  arguments <- formals(larvastats$screen)
  expect_null(arguments$protocol)
  expect_identical(arguments$row_weights, "uniform")
  expect_output(larvastats$help("screen"), "Parameters")
  expect_output(print(larvastats), "$proportion_test", fixed = TRUE)
})
