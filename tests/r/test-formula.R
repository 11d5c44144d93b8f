translated <- environment(larvastats$help)$write_formula
lines <- "GMR_72F11_AE_01,FCF_attP2_1500062"

test_that("R's language becomes formulaic's", {
  text <- function(f) translated(f)$text
  expect_identical(text(to ~ genotype * I(t^2)), "to ~ genotype * I((t ** 2))")
  expect_identical(text(to ~ log(t + 1) + factor(date)), "to ~ log((t + 1)) + C(date)")
  expect_identical(text(to ~ poly(t, 2) + genotype / t),
                   "to ~ poly(t, degree=2, raw=False) + genotype / t")
})

test_that("what formulaic cannot express is said", {
  refused <- function(f, words) expect_error(translated(f), words, class = "larva_usage_error")
  refused(to ~ t + (1 | date), "random effect")
  refused(to ~ s(t), "s\\(\\), which formulaic does not know")
  refused(to ~ offset(t), "an offset")
  refused(to ~ ., "a dot")
  refused(~t, "no left side")
  refused(to ~ 0 + ns(t, 3), "without its constant.*add the intercept")
  refused(to ~ genotype:ns(t, 3), "without its constant.*add genotype")
})

test_that("ns() has R's knots and R's curves", {
  model <- larvastats$transition_model(to ~ genotype * ns(t, 3), example, genotypes = lines,
                                       prior = 0, resamples = 99)
  bouts <- as.data.frame(larvastats$load(example))
  bouts <- bouts[bouts$line %in% strsplit(lines, ",")[[1]], ]
  follows <- c(FALSE, bouts$assay[-1] == head(bouts$assay, -1) & bouts$larva[-1] == head(bouts$larva, -1) &
                 bouts$t_start[-1] - head(bouts$t_stop, -1) < 1e-9)
  at <- which(follows)
  jumps <- data.frame(from = bouts$state[at - 1], to = bouts$state[at], line = bouts$line[at],
                      t = (floor(bouts$t_start[at] / 0.1 + 1e-6) + 0.5) * 0.1)
  basis <- splines::ns(jumps$t, 3)
  written <- model$design$formula
  numbers <- as.numeric(regmatches(written, gregexpr("[0-9]+[.][0-9]+", written))[[1]])
  expect_equal(numbers, c(unname(attr(basis, "knots")), attr(basis, "Boundary.knots")),
               tolerance = 1e-12)
  expect_identical(model$design$n_transitions, nrow(jumps))
})

test_that("ns() with the same knots spans the same curves", {
  grid <- data.frame(t = seq(0, 90, 7.5), genotype = "FCF_attP2_1500062@UAS_CsChrimson_X_0028")
  model <- larvastats$transition_model(
    to ~ ns(t, knots = c(30, 60), Boundary.knots = c(0, 90)), example,
    genotypes = "FCF_attP2_1500062", prior = 1, resamples = 99)
  expect_identical(model$design$formula,
                   "to ~ cr(t, knots=[30.0, 60.0], lower_bound=0.0, upper_bound=90.0)")
  found <- predict(model, grid)
  logit <- with(found[found$from == "run", ], log(p[to == "cast"] / p[to == "stop"]))
  basis <- cbind(1, splines::ns(grid$t, knots = c(30, 60), Boundary.knots = c(0, 90)))
  expect_lt(max(abs(stats::lm.fit(basis, logit)$residuals)), 1e-8)
})
