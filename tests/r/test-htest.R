x <- c(30, 12)
n <- c(100, 100)
ours <- larvastats$proportion_test(x, n)
theirs <- stats::prop.test(x, n, correct = FALSE)

test_that("a test is an htest with R's names", {
  expect_s3_class(ours, c("larva_htest", "htest"), exact = TRUE)
  for (part in c("statistic", "parameter", "p.value", "estimate", "conf.int"))
    expect_equal(ours[[part]], theirs[[part]], tolerance = 1e-10)
  expect_identical(attr(ours$conf.int, "conf.level"), 0.95)
  expect_identical(ours$alternative, "two.sided")
})

test_that("it is the chi-square without correction", {
  reference <- stats::chisq.test(cbind(x, n - x), correct = FALSE)
  expect_equal(ours$statistic, reference$statistic, tolerance = 1e-10)
  expect_equal(ours$parameter, reference$parameter)
  expect_equal(ours$p.value, reference$p.value, tolerance = 1e-10)
})

test_that("print is R's own, but for what the data are called", {
  theirs$data.name <- ours$data.name
  expect_identical(capture.output(print(ours)), capture.output(print(theirs)))
  expect_identical(capture.output(print(ours, digits = 3)), capture.output(print(theirs, digits = 3)))
})

test_that("broom reads it as it reads R's", {
  tidied <- broom::tidy(ours)
  expect_identical(names(tidied), names(broom::tidy(theirs)))
  expect_equal(tidied$p.value, theirs$p.value, tolerance = 1e-10)
  expect_equal(unname(broom::glance(ours)$statistic), unname(theirs$statistic), tolerance = 1e-10)
})

test_that("other tests too: alternatives in words, several parameters, units, pictures", {
  found <- larvastats$compare(genotype = "GMR_72F11_AE_01", resamples = 500, bootstrap = 20)
  expect_identical(names(found$null.value), "Hellinger distance")
  printed <- capture.output(print(found))
  expect_true("alternative hypothesis: transition probabilities differ" %in% printed)
  expect_false(any(grepl("^true ", printed)))
  expect_identical(nrow(suppressMessages(broom::tidy(found))), 1L)
  units <- broom::augment(found)
  expect_true(all(c("assay", "genotype", "n_transitions") %in% names(units)))
  expect_identical(as.data.frame(found)$p_value, found$p.value)
  expect_match(capture.output(print(summary(found))), "p_value", all = FALSE)
})
