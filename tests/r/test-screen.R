set.seed(7)
before <- .Random.seed
bouts <- as.data.frame(larvastats$load(example))
screen <- larvastats$screen(bouts, protocol = "r_LED100", row.weights = "occupancy", seed = 3,
                            resamples = 300, bootstrap = 20, calibrate = FALSE)

test_that("R's random numbers are not disturbed", expect_identical(.Random.seed, before))

test_that("a screen is an object with tables", {
  expect_s3_class(screen, c("larva_screen", "larva_result"), exact = TRUE)
  expect_identical(nrow(screen$table), 12L)
  expect_identical(as.data.frame(screen), screen$table)
  expect_type(screen$table$rejected, "logical")
  expect_type(screen$table$n_assays, "integer")
  expect_identical(screen$design$row_weights, "occupancy")
  expect_identical(screen$seed, 3L)
  expect_match(capture.output(print(screen)), "Screen of 12 lines", all = FALSE)
  expect_match(capture.output(print(summary(screen))), "n_rejected", all = FALSE)
})

test_that("its q-values are those of p.adjust", {
  expect_equal(screen$table$q_value, stats::p.adjust(screen$table$p_value, "BH"), tolerance = 1e-10)
})

test_that("broom has its three verbs", {
  expect_s3_class(broom::tidy(screen), "tbl_df")
  expect_identical(broom::tidy(screen)$p.value, screen$table$p_value)
  expect_identical(broom::glance(screen)$n_lines, 12L)
  expect_identical(nrow(broom::augment(screen)), nrow(screen$units))
})

test_that("ggplot2 draws what broom gives", {
  picture <- ggplot2::ggplot(broom::tidy(screen),
                             ggplot2::aes(stats::reorder(line, hellinger), hellinger)) +
    ggplot2::geom_pointrange(ggplot2::aes(ymin = hellinger_low, ymax = hellinger_high))
  expect_identical(nrow(ggplot2::layer_data(picture)), 12L)
})

test_that("plot draws on R's device", {
  file <- tempfile(fileext = ".png")
  grDevices::png(file, 600, 400)
  drawn <- withVisible(plot(screen, kind = "matrices"))
  grDevices::dev.off()
  expect_false(drawn$visible)
  expect_gt(file.size(file), 5000)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_error(plot(screen, kind = "pie"), "kind must be ranking", class = "larva_usage_error")
})
